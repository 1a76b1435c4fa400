"""Names the permission to route events again at its model, so that it is there wherever the model is."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("webhooks", "0010_know_events_by_business_keys")]

    operations = [
        migrations.AlterModelOptions(
            name="event",
            options={
                "permissions": [
                    ("view_payload", "Can view payloads: bodies and header values"),
                    ("route_event_again", "Can route events again"),
                ]
            },
        ),
    ]
