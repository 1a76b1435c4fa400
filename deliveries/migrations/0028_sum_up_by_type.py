"""Slices that sum up what was settled by type of event; they begin at nought.

Each fold adds to the newest of them again and again, as to those of subscriptions: a page has room for new versions
of its rows, and is vacuumed early.
"""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

TABLES = ("deliveries_typerollup", "deliveries_typefailure")


def tune(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        for table in TABLES:
            editor.execute(
                f"ALTER TABLE {table} SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02)"
            )


def untune(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        for table in TABLES:
            editor.execute(f"ALTER TABLE {table} RESET (fillfactor, autovacuum_vacuum_scale_factor)")


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0027_send_parents_first'),
    ]

    operations = [
        migrations.CreateModel(
            name='TypeFailure',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('starts_at', models.DateTimeField()),
                ('width_s', models.IntegerField(help_text='60, 900, 3600 or 86400.')),
                ('event_type', models.CharField(max_length=200)),
                ('outcome', models.CharField(max_length=20)),
                ('status', models.SmallIntegerField(help_text='0: there was no answer.')),
                ('failures', models.IntegerField(default=0)),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['width_s', 'starts_at'], name='type_failure_age_idx')],
                'constraints': [models.UniqueConstraint(fields=('event_type', 'width_s', 'starts_at', 'outcome', 'status'), name='type_failure_slice_unique'), models.CheckConstraint(condition=models.Q(('width_s__in', (60, 900, 3600, 86400))), name='type_failure_width_known')],
            },
        ),
        migrations.CreateModel(
            name='TypeRollup',
            fields=[
                ('attempts', models.IntegerField(default=0)),
                ('replays', models.IntegerField(default=0, help_text='Attempts of replayed deliveries.')),
                ('delivered_first', models.IntegerField(default=0, help_text='Delivered by their very first attempt.')),
                ('delivered_retry', models.IntegerField(default=0, help_text='Delivered by a later attempt.')),
                ('retried', models.IntegerField(default=0, help_text='Failed attempts by which no delivery died.')),
                ('dead', models.IntegerField(default=0, help_text='Deliveries given up, some without any attempt.')),
                ('faults', models.IntegerField(default=0, help_text="Failed attempts that were the endpoint's fault.")),
                ('latency_ms', models.BigIntegerField(default=0, help_text='Sum over what `took_00` to `took_22` count.')),
                ('took_00', models.IntegerField(default=0)),
                ('took_01', models.IntegerField(default=0)),
                ('took_02', models.IntegerField(default=0)),
                ('took_03', models.IntegerField(default=0)),
                ('took_04', models.IntegerField(default=0)),
                ('took_05', models.IntegerField(default=0)),
                ('took_06', models.IntegerField(default=0)),
                ('took_07', models.IntegerField(default=0)),
                ('took_08', models.IntegerField(default=0)),
                ('took_09', models.IntegerField(default=0)),
                ('took_10', models.IntegerField(default=0)),
                ('took_11', models.IntegerField(default=0)),
                ('took_12', models.IntegerField(default=0)),
                ('took_13', models.IntegerField(default=0)),
                ('took_14', models.IntegerField(default=0)),
                ('took_15', models.IntegerField(default=0)),
                ('took_16', models.IntegerField(default=0)),
                ('took_17', models.IntegerField(default=0)),
                ('took_18', models.IntegerField(default=0)),
                ('took_19', models.IntegerField(default=0)),
                ('took_20', models.IntegerField(default=0)),
                ('took_21', models.IntegerField(default=0)),
                ('took_22', models.IntegerField(default=0)),
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('starts_at', models.DateTimeField()),
                ('width_s', models.IntegerField(help_text='60, 900, 3600 or 86400.')),
                ('event_type', models.CharField(max_length=200)),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['event_type', 'width_s', 'starts_at'], name='type_rollup_type_idx')],
                'constraints': [models.UniqueConstraint(fields=('width_s', 'starts_at', 'event_type'), name='type_rollup_slice_unique'), models.CheckConstraint(condition=models.Q(('width_s__in', (60, 900, 3600, 86400))), name='type_rollup_width_known')],
            },
        ),
        migrations.RunPython(tune, untune),
    ]
