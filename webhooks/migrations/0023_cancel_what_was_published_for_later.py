"""Lets what was published for later be cancelled before its time. Taken back, what was cancelled is discarded."""

from django.db import migrations, models


def discard(apps, schema_editor):
    apps.get_model("webhooks", "Event").objects.filter(state="cancelled").update(state="discarded")


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0022_pin_certificates"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="event",
            options={
                "permissions": [
                    ("view_payload", "Can view payloads: bodies and header values"),
                    ("route_event_again", "Can route events again"),
                    ("cancel_event", "Can cancel events published for later"),
                ]
            },
        ),
        migrations.RemoveConstraint(
            model_name="event",
            name="event_state_known",
        ),
        migrations.RemoveConstraint(
            model_name="event",
            name="event_routed_at_once_routed",
        ),
        migrations.AlterField(
            model_name="event",
            name="state",
            field=models.CharField(
                choices=[
                    ("scheduled", "Scheduled"),
                    ("received", "Received"),
                    ("routed", "Routed"),
                    ("unmatched", "Unmatched"),
                    ("quarantined", "Quarantined"),
                    ("discarded", "Discarded"),
                    ("cancelled", "Cancelled"),
                ],
                default="received",
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "scheduled",
                            "received",
                            "routed",
                            "unmatched",
                            "quarantined",
                            "discarded",
                            "cancelled",
                        ],
                    )
                ),
                name="event_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("routed_at__isnull", True),
                        ("state__in", ["scheduled", "received", "quarantined", "discarded", "cancelled"]),
                    ),
                    models.Q(("routed_at__isnull", False), ("state__in", ["routed", "unmatched"])),
                    _connector="OR",
                ),
                name="event_routed_at_once_routed",
            ),
        ),
        # The last one, and so the first that is taken back: the constraints of before know no cancelled event.
        migrations.RunPython(migrations.RunPython.noop, discard),
    ]
