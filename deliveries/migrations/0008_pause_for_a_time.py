"""Lets a pause end by itself. Taken back, a pause that would have ended lasts until a person resumes it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0007_keep_how_deep_lanes_were"),
    ]

    operations = [
        migrations.AddField(
            model_name="lane",
            name="hold_until",
            field=models.DateTimeField(
                blank=True, help_text="When a pause ends by itself; empty: a person ends it.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="lane",
            index=models.Index(
                condition=models.Q(("hold_until__isnull", False)), fields=["hold_until"], name="lane_pause_idx"
            ),
        ),
        migrations.AddConstraint(
            model_name="lane",
            constraint=models.CheckConstraint(
                condition=models.Q(("hold_until__isnull", True), ("hold", "paused"), _connector="OR"),
                name="lane_hold_until_while_paused",
            ),
        ),
    ]
