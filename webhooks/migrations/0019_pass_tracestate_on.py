"""Keeps other vendors' tracestate beside an event's bytes, to be passed on with its deliveries."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0018_total_receipts")]

    operations = [
        migrations.AddField(
            model_name="eventbody",
            name="tracestate",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Other vendors' entries, which go out again with its deliveries.",
                max_length=512,
            ),
        )
    ]
