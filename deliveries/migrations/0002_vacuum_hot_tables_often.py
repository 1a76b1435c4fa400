"""Dead entries gather at the head of the due indexes, where every claim begins to read; so vacuum early.

By default a table is vacuumed when a fifth of it is dead: in a table of millions, after hundreds of
thousands of settled deliveries. A fixed number keeps the claim's cost the same for ever.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

HOT = ("deliveries_delivery", "deliveries_lane", "webhooks_event")
DEAD_ROWS = 20_000


def tune(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        for table in HOT:
            editor.execute(
                f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0, "
                f"autovacuum_vacuum_threshold = {DEAD_ROWS}, autovacuum_vacuum_cost_delay = 0)"
            )


def untune(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        for table in HOT:
            editor.execute(
                f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor, "
                "autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay)"
            )


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0001_hold_what_is_owed"), ("webhooks", "0001_hold_what_came_in")]

    operations = [migrations.RunPython(tune, untune)]
