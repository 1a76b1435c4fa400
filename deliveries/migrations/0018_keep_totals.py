"""Totals that only grow, which counters are read from; they begin at nought.

Each fold adds to the same few rows again and again, so a page has room for new versions of its rows, and is
vacuumed early.
"""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

TABLES = [f"deliveries_{name}total" for name in ("", "failure", "spread", "circuit", "event")]


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
        ('deliveries', '0017_watch_from_the_first_run'),
    ]

    operations = [
        migrations.CreateModel(
            name='Total',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('subscription_id', models.UUIDField(help_text='No foreign key: it outlives the subscription.', unique=True)),
                ('attempts', models.BigIntegerField(default=0)),
                ('replays', models.BigIntegerField(default=0)),
                ('delivered_first', models.BigIntegerField(default=0)),
                ('delivered_retry', models.BigIntegerField(default=0)),
                ('retried', models.BigIntegerField(default=0)),
                ('dead', models.BigIntegerField(default=0)),
                ('faults', models.BigIntegerField(default=0)),
                ('timed', models.BigIntegerField(default=0, help_text='Attempts that were answered or ran out of time.')),
                ('latency_ms', models.BigIntegerField(default=0, help_text='Sum over what `timed` counts.')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='CircuitTotal',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('subscription_id', models.UUIDField()),
                ('after', models.CharField(max_length=10)),
                ('number', models.BigIntegerField(default=0)),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('subscription_id', 'after'), name='circuit_total_state_unique')],
            },
        ),
        migrations.CreateModel(
            name='EventTotal',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('source_id', models.UUIDField()),
                ('state', models.CharField(max_length=12)),
                ('number', models.BigIntegerField(default=0)),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('source_id', 'state'), name='event_total_state_unique')],
            },
        ),
        migrations.CreateModel(
            name='FailureTotal',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('subscription_id', models.UUIDField()),
                ('outcome', models.CharField(max_length=20)),
                ('status', models.SmallIntegerField(help_text='0: there was no answer.')),
                ('failures', models.BigIntegerField(default=0)),
                ('untried', models.BigIntegerField(default=0, help_text='Of these, deaths without any attempt.')),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('subscription_id', 'outcome', 'status'), name='failure_total_kind_unique')],
            },
        ),
        migrations.CreateModel(
            name='SpreadTotal',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('took', 'How long attempts took'), ('first', 'From the receipt to the first attempt'), ('delivered', 'From the receipt to the 2xx, without replays'), ('retry', 'Retries by their number')], max_length=10)),
                ('bucket', models.SmallIntegerField()),
                ('number', models.BigIntegerField(default=0)),
                ('sum_ms', models.BigIntegerField(default=0)),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('kind', 'bucket'), name='spread_total_bucket_unique')],
            },
        ),
        migrations.RunPython(tune, untune),
    ]
