"""Keeps and removes saved views.

It records nothing in the audit: a view changes nothing but what is offered in a menu.
"""

from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from deliveries.deciders.delivery_address import to_params
from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.models import SavedView

MOST_VIEWS = 30  # of one person; they are written into the page


class Refused(Exception):
    """The sentence says why."""


def save_view(*, owner: User, name: str, query: DeliveryQuery, is_shared: bool) -> SavedView:
    """One of this name that the person has already is replaced."""
    name = " ".join(name.split())[:60]
    if not name:
        raise Refused("Give the view a name.")
    with transaction.atomic():
        mine = SavedView.objects.select_for_update().filter(owner=owner)
        if mine.exclude(name=name).count() >= MOST_VIEWS:
            raise Refused(f"You have {MOST_VIEWS} views already; remove one first.")
        values = {"is_shared": is_shared, "params": to_params(query.first_page())}
        return SavedView.objects.update_or_create(owner=owner, name=name, defaults=values)[0]


def remove_view(*, owner: User, view_id: UUID) -> bool:
    """One's own only; says whether there was one."""
    return bool(SavedView.objects.filter(pk=view_id, owner=owner).delete()[0])
