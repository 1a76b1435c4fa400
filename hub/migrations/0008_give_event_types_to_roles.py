"""Lets every role see the catalogue of event types, and those who configure the hub change it. Taken back, none does."""

from django.db import migrations

from ._roles import LEADS, VIEWERS, giving


class Migration(migrations.Migration):
    dependencies = [("hub", "0007_let_roles_tend_alerts"), ("webhooks", "0017_catalogue_event_types")]

    operations = [
        giving(
            "webhooks", {"view_eventtype": VIEWERS, "add_eventtype": LEADS, "change_eventtype": LEADS}
        )
    ]
