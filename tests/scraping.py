"""Asks a hub for its metrics, and reads them as Prometheus would."""

from typing import Any

from django.test import Client
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

OPENMETRICS = "application/openmetrics-text; version=1.0.0"

Key = tuple[str, tuple[tuple[str, str], ...]]


class Scraped(dict[Key, float]):
    """Values by name and labels: `scraped("weir_lanes", circuit="closed")`."""

    def __call__(self, name: str, **labels: str) -> float:
        return self[name, tuple(sorted(labels.items()))]

    def all(self, name: str) -> dict[tuple[str, ...], float]:
        """The series of this name, by the values of their labels in the order of these' names."""
        return {
            tuple(value for _, value in labels): number
            for (each, labels), number in self.items()
            if each == name
        }


def read(text: str, *, as_openmetrics: bool = False) -> Scraped:
    families: Any = (read_openmetrics if as_openmetrics else read_text)(text)
    return Scraped(
        ((sample.name, tuple(sorted(sample.labels.items()))), sample.value)
        for family in families
        for sample in family.samples
        if sample.name.startswith("weir_")
    )


def scrape(client: Client | None = None, *, as_openmetrics: bool = False) -> Scraped:
    accepted = {"accept": OPENMETRICS} if as_openmetrics else {}
    page = (client or Client()).get("/metrics", headers=accepted)
    return read(page.content.decode(), as_openmetrics=as_openmetrics)
