"""What a rule measures is told apart from the console's success rate, which is of deliveries that came to an end."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0028_sum_up_by_type"),
    ]

    operations = [
        migrations.AlterField(
            model_name="alertrule",
            name="measure",
            field=models.CharField(
                choices=[
                    ("success_rate", "Attempt success rate"),
                    ("error_rate", "Error rate"),
                    ("latency", "Latency"),
                    ("oldest_due", "Age of the oldest due delivery"),
                    ("queue_depth", "Deliveries due"),
                    ("dead_letters", "New dead letters"),
                    ("circuit_open", "Circuit not closed"),
                    ("source_silent", "Source silent"),
                    ("quarantined", "Events in quarantine"),
                    ("dispatcher_missing", "No dispatcher at work"),
                ],
                max_length=30,
                verbose_name="what is measured",
            ),
        ),
    ]
