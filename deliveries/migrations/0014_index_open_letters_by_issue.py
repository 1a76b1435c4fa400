from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0013_freeze_replays")]

    operations = [
        migrations.AddIndex(
            model_name="deadletter",
            index=models.Index(
                condition=models.Q(("resolved_at", None)), fields=["issue"], name="dead_letter_issue_open_idx"
            ),
        ),
    ]
