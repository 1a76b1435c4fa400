"""The five roles as their migrations give them, and people who have one."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db.migrations import RunPython

NAMES = ["Viewer", "Support", "Operator", "Lead", "Admin"]
FIVE = "0002_give_roles"


def give(*migrations: str) -> None:
    """Other tests empty the tables, and a migration runs once."""
    for name in migrations:
        for operation in _operations(name):
            operation.code(apps, None)


def take_back(migration: str) -> None:
    for operation in _operations(migration):
        operation.reverse_code(apps, None)


def member(role: str) -> User:
    user = User.objects.create_user(role.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def _operations(migration: str) -> Iterator[Any]:
    for operation in import_module(f"hub.migrations.{migration}").Migration.operations:
        assert isinstance(operation, RunPython)
        yield operation
