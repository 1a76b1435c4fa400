"""A cluster that adds nothing up and watches for nothing, as the other half of a comparison. No hub is run by it."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
django.setup()

from django.core.management import call_command  # noqa: E402

from deliveries import tasks  # noqa: E402
from deliveries.dispatcher import counting, loop, tallies  # noqa: E402
from deliveries.dispatcher.heartbeat import Chore  # noqa: E402

NEVER_S = 86_400.0


def _nothing(*given: object, **named: object) -> None:
    return None


def _idle() -> Chore:
    return Chore("idle", _nothing, every_s=NEVER_S)


if __name__ == "__main__":
    # What the dispatcher looks up in these modules when it needs it; its processes are forked from this one.
    for module, name, instead in (
        (tallies, "add", _nothing),
        (counting, "add", _nothing),
        (loop, "folder", _idle),
        (loop, "sampler", _idle),
        (tasks, "watch", _nothing),
    ):
        assert hasattr(module, name)
        setattr(module, name, instead)
    call_command("cluster")
