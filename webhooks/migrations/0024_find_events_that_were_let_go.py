"""Finds events that were discarded or cancelled without reading all the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0023_cancel_what_was_published_for_later"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                condition=models.Q(("state__in", ["discarded", "cancelled"])),
                fields=["state", "id"],
                name="event_let_go_idx",
            ),
        ),
    ]
