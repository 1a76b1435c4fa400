"""Lets Operators and those above them release and discard what was set aside. Taken back, nobody may."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

OPERATORS = ["Operator", "Lead", "Admin"]
GIVEN = {"release_quarantine": OPERATORS}
WORDS = "Can release and discard quarantined events"


def give(apps, schema_editor):
    create_permissions(installed.get_app_config("deliveries"), verbosity=0, apps=apps)
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="deliveries", model="cascade"
    )
    apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename="release_quarantine", defaults={"name": WORDS}
    )
    for group, permission in _pairs(apps):
        group.permissions.add(permission)


def take_back(apps, schema_editor):
    for group, permission in _pairs(apps):
        group.permissions.remove(permission)


def _pairs(apps):
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="deliveries")
    for codename, roles in GIVEN.items():
        permission = permissions.get(codename=codename)
        for group in apps.get_model("auth", "Group").objects.filter(name__in=roles):
            yield group, permission


class Migration(migrations.Migration):
    dependencies = [("hub", "0008_give_event_types_to_roles"), ("deliveries", "0023_guard_cascades")]

    operations = [migrations.RunPython(give, take_back)]
