"""How migrations give permissions to roles, and take them back. It knows no model but those of a migration's own state.

A permission that Django would make only after all migrations is made here, with the name that its model gives it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

VIEWERS = ("Viewer", "Support", "Operator", "Lead", "Admin")
OPERATORS = ("Operator", "Lead", "Admin")
LEADS = ("Lead", "Admin")
ADMINS = ("Admin",)

Act = tuple[str, str, str]  # a permission that is no plain add, change, delete or view; its model; its name


def giving(label: str, to: Mapping[str, Sequence[str]], *, acts: Sequence[Act] = ()) -> migrations.RunPython:
    """`to` says which roles get which permission of this app. Taken back, they have it no more."""

    def forwards(apps: Any, schema_editor: Any) -> None:
        create_permissions(installed.get_app_config(label), verbosity=0, apps=apps)
        for codename, model, name in acts:
            kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
                app_label=label, model=model
            )
            apps.get_model("auth", "Permission").objects.get_or_create(
                content_type=kind, codename=codename, defaults={"name": name}
            )
        for group, permission in _pairs(apps, label, to):
            group.permissions.add(permission)

    def backwards(apps: Any, schema_editor: Any) -> None:
        for group, permission in _pairs(apps, label, to):
            group.permissions.remove(permission)

    return migrations.RunPython(forwards, backwards)


def _pairs(apps: Any, label: str, to: Mapping[str, Sequence[str]]) -> Iterator[tuple[Any, Any]]:
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label=label)
    groups = apps.get_model("auth", "Group").objects
    for codename, roles in to.items():
        permission = permissions.get(codename=codename)
        for group in groups.filter(name__in=roles):
            yield group, permission
