"""Reads the saved views that a person may choose from: their own, and what others share."""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q

from deliveries.models import SavedView

MOST_SHOWN = 60


def views_for(person: AbstractBaseUser | AnonymousUser) -> list[SavedView]:
    """Their own first, then by name."""
    rows = SavedView.objects.select_related("owner").filter(Q(owner_id=person.pk) | Q(is_shared=True))
    found = rows.order_by("name", "pk")[: MOST_SHOWN * 2]
    return sorted(found, key=lambda view: view.owner_id != person.pk)[:MOST_SHOWN]
