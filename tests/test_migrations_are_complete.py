"""What the models say is what the migrations make, and each can be taken back."""

from contextlib import suppress
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

APPS = ["webhooks", "deliveries", "hub"]


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    told = StringIO()
    with suppress(SystemExit):
        call_command("makemigrations", *APPS, check_changes=True, dry_run=True, stdout=told)
    assert told.getvalue().startswith("No changes detected in apps ")


def test_every_migration_can_be_taken_back() -> None:
    migrations = MigrationExecutor(None).loader.disk_migrations
    ours = [each for (app, _), each in migrations.items() if app in APPS]
    stuck = [str(each) for each in ours for step in each.operations if not step.reversible]
    assert stuck == []
    assert ours


@pytest.mark.django_db
def test_every_migration_has_run() -> None:
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
