"""Slices that sum up what was settled, and the tallies they are folded from.

The table that was meant for them had no writer, so there is nothing to carry over.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

# Each fold changes the newest slices again and again: a page with room to spare takes the new version of a row,
# and the indexes stay as they are. Tallies come and go by the hundred.
STORED = {
    "deliveries_rollup": {"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.02"},
    "deliveries_rollupfailure": {"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.02"},
    "deliveries_tally": {
        "autovacuum_vacuum_scale_factor": "0",
        "autovacuum_vacuum_threshold": "2000",
        "toast.autovacuum_vacuum_scale_factor": "0",
        "toast.autovacuum_vacuum_threshold": "10000",
    },
}


def tune(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        for table, options in STORED.items():
            given = ", ".join(f"{name} = {value}" for name, value in options.items())
            editor.execute(f"ALTER TABLE {table} SET ({given})")


def untune(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        for table, options in STORED.items():
            editor.execute(f"ALTER TABLE {table} RESET ({', '.join(options)})")


def subscription() -> models.ForeignKey:
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name="+",
        to="deliveries.subscription",
    )


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0004_index_what_people_filter_by")]

    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("settled_at", models.DateTimeField()),
                ("attempts", models.TextField(help_text="A JSON list of their ids.")),
                ("failed", models.TextField(help_text="The same, of those that failed.")),
                ("deaths", models.TextField(help_text="A JSON list; see the dispatcher's tallies.")),
                ("length", models.IntegerField(help_text="How many attempts and deaths.")),
            ],
            options={"verbose_name_plural": "tallies"},
        ),
        migrations.DeleteModel(name="Rollup"),
        migrations.CreateModel(
            name="Rollup",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("starts_at", models.DateTimeField()),
                ("width_s", models.IntegerField(help_text="60, 900, 3600 or 86400.")),
                ("subscription", subscription()),
                ("attempts", models.IntegerField(default=0)),
                ("replays", models.IntegerField(default=0, help_text="Attempts of replayed deliveries.")),
                (
                    "delivered_first",
                    models.IntegerField(default=0, help_text="Delivered by their very first attempt."),
                ),
                (
                    "delivered_retry",
                    models.IntegerField(default=0, help_text="Delivered by a later attempt."),
                ),
                (
                    "retried",
                    models.IntegerField(default=0, help_text="Failed attempts by which no delivery died."),
                ),
                (
                    "dead",
                    models.IntegerField(
                        default=0, help_text="Deliveries given up, some without any attempt."
                    ),
                ),
                (
                    "faults",
                    models.IntegerField(
                        default=0, help_text="Failed attempts that were the endpoint's fault."
                    ),
                ),
                (
                    "latency_ms",
                    models.BigIntegerField(
                        default=0, help_text="Sum over what `took_00` to `took_22` count."
                    ),
                ),
                *((f"took_{number:02}", models.IntegerField(default=0)) for number in range(23)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["width_s", "starts_at", "subscription"], name="rollup_slice_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(width_s__in=(60, 900, 3600, 86400)), name="rollup_width_known"
                    ),
                ],
                "indexes": [
                    models.Index(
                        fields=["subscription", "width_s", "starts_at"], name="rollup_subscription_idx"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RollupFailure",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("starts_at", models.DateTimeField()),
                ("width_s", models.IntegerField(help_text="60, 900, 3600 or 86400.")),
                ("subscription", subscription()),
                ("outcome", models.CharField(max_length=20)),
                ("status", models.SmallIntegerField(help_text="0: there was no answer.")),
                ("failures", models.IntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["subscription", "width_s", "starts_at", "outcome", "status"],
                        name="rollup_failure_slice_unique",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(width_s__in=(60, 900, 3600, 86400)), name="rollup_failure_width_known"
                    ),
                ],
                "indexes": [models.Index(fields=["width_s", "starts_at"], name="rollup_failure_age_idx")],
            },
        ),
        migrations.RunPython(tune, untune),
    ]
