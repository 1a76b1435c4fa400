"""Turns on spans where OTEL_… asks for them. Where nothing does, OpenTelemetry is not even loaded.

It is an extra: `pip install -r requirements-otel.txt`.
"""

import importlib
import os
from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

from webhooks import spans

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """By an endpoint, or by name; unless the SDK is switched off, or another exporter is asked for."""
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter not in {"", "otlp"}:
        return False
    return exporter == "otlp" or any(environment.get(name) for name in _ENDPOINTS)


def configure() -> None:
    """Raises ImproperlyConfigured where spans are asked for and nobody can make them."""
    if not is_asked_for(os.environ):
        return
    try:
        exporter = importlib.import_module("hub.otlp").Exporter()
    except ModuleNotFoundError:
        raise ImproperlyConfigured(
            "OTEL_… asks for traces, but OpenTelemetry is not installed: pip install -r requirements-otel.txt."
        ) from None
    spans.use(exporter.emit, exporter.flush)
