"""Lets a subscription ask to be proved before anything is sent to it. Taken back, what waits for its proof is paused."""

from django.db import migrations, models


def pause(apps, schema_editor):
    apps.get_model("deliveries", "Lane").objects.filter(hold="unproved").update(hold="paused")


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0021_sign_with_public_keys")]

    operations = [
        migrations.RemoveConstraint(model_name="lane", name="lane_hold_known"),
        migrations.AlterField(
            model_name="lane",
            name="hold",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "Moving"),
                    ("paused", "Paused"),
                    ("disabled", "Disabled"),
                    ("unproved", "Waiting for its proof"),
                ],
                default="",
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="lane",
            constraint=models.CheckConstraint(
                condition=models.Q(("hold__in", ["", "paused", "disabled", "unproved"])), name="lane_hold_known"
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, pause),
        migrations.AddField(
            model_name="subscription",
            name="prove",
            field=models.BooleanField(
                default=False, help_text="Nothing is sent before its endpoint answered a signed ping with a 2xx."
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="proved_at",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="When its present address answered one.", null=True
            ),
        ),
    ]
