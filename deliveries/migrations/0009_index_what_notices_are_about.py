"""Lets a page ask for the notices about one thing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0008_pause_for_a_time"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(fields=["object_kind", "object_id", "id"], name="notice_object_idx"),
        ),
    ]
