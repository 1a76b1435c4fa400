"""Every filter of the deliveries page reads its own index, in the order of ids; those of failures are partial."""

from django.db import migrations, models

FAILED = ~models.Q(last_outcome="") & ~models.Q(last_outcome="ok")


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0003_contain_failing_lanes")]

    operations = [
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["state", "phase", "id"], name="delivery_state_idx"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["event_type", "id"], name="delivery_type_idx"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["source", "id"], name="delivery_source_idx"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                fields=["subscription", "id"],
                name="delivery_pending_lane_idx",
                condition=models.Q(state="pending"),
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                fields=["last_outcome", "id"], name="delivery_failed_outcome_idx", condition=FAILED
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                fields=["last_status", "id"], name="delivery_failed_status_idx", condition=FAILED
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                fields=["fingerprint", "id"],
                name="delivery_fingerprint_idx",
                condition=~models.Q(fingerprint=""),
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                fields=["attempts", "id"],
                name="delivery_attempts_idx",
                condition=models.Q(attempts__gt=1),
            ),
        ),
    ]
