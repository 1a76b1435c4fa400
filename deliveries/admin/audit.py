"""Registers the audit, and says which deliveries an act was about in the words of the deliveries page."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.contrib import admin
from django.urls import reverse

from deliveries.deciders.delivery_address import parse, to_url
from deliveries.deciders.delivery_words import sentence
from webhooks.audit_admin import AuditEntryAdmin
from webhooks.models import AuditEntry

from .delivery_list import subscriptions

ABOUT_DELIVERIES: Final = {"delivery", "replay"}  # kinds whose criteria are those of the deliveries page


@admin.register(AuditEntry)
class SaidAuditEntryAdmin(AuditEntryAdmin):
    def criteria_words(self, entries: Sequence[AuditEntry]) -> dict[UUID, str]:
        said = super().criteria_words(entries)
        about = [entry for entry in entries if entry.criteria and entry.object_kind in ABOUT_DELIVERIES]
        names = {key: name for key, name, _ in subscriptions()} if about else {}
        return said | {entry.pk: sentence(parse(entry.criteria).query, names=names) for entry in about}

    def criteria_address(self, entry: AuditEntry) -> str:
        if entry.object_kind not in ABOUT_DELIVERIES:
            return ""
        return reverse("admin:deliveries_delivery_changelist") + to_url(parse(entry.criteria).query)
