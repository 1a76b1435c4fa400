"""Lets Operators and those above them cancel what was published for later. Taken back, nobody may."""

from django.db import migrations

from ._roles import OPERATORS, giving


class Migration(migrations.Migration):
    dependencies = [
        ("hub", "0009_let_operators_empty_quarantine"),
        ("webhooks", "0023_cancel_what_was_published_for_later"),
    ]

    operations = [
        giving(
            "webhooks",
            {"cancel_event": OPERATORS},
            acts=[("cancel_event", "event", "Can cancel events published for later")],
        )
    ]
