"""Lets a subscription ask for CloudEvents."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0019_sample_what_metrics_show")]

    operations = [
        migrations.AddField(
            model_name="subscription",
            name="format",
            field=models.CharField(
                choices=[
                    ("standard", "The body as it came, or as the transform makes it"),
                    ("cloudevents", "CloudEvents 1.0, structured"),
                ],
                default="standard",
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("format__in", ["standard", "cloudevents"])), name="subscription_format_known"
            ),
        ),
    ]
