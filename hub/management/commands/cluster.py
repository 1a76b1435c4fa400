"""The door to the cluster: dispatchers and scheduled work, until it is stopped."""

import multiprocessing
import sys
from typing import Any

from django.core.management.base import BaseCommand

from hub.qcluster import HubCluster


class Command(BaseCommand):
    help = "Runs dispatchers and scheduled work. SIGTERM or Ctrl-C stops it within ten seconds."

    def handle(self, *args: Any, **options: Any) -> None:
        multiprocessing.set_start_method("fork", force=True)  # django-q2 shares its queues by forking
        if status := HubCluster().run():
            sys.exit(status)
