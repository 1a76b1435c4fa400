"""Lets Operators and those above them release and discard what was set aside. Taken back, nobody may."""

from django.db import migrations

from ._roles import OPERATORS, giving


class Migration(migrations.Migration):
    dependencies = [("hub", "0008_give_event_types_to_roles"), ("deliveries", "0023_guard_cascades")]

    operations = [
        giving(
            "deliveries",
            {"release_quarantine": OPERATORS},
            acts=[("release_quarantine", "cascade", "Can release and discard quarantined events")],
        )
    ]
