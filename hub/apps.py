"""Registers the hub and its console."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.core.checks import register

from hub import checks, tracing


class ConsoleConfig(AdminConfig):
    default_site = "hub.admin_site.ConsoleSite"


class HubConfig(AppConfig):
    name = "hub"
    verbose_name = "Hub"

    def ready(self) -> None:
        for check in checks.ALL:
            register(check)
        tracing.configure()
