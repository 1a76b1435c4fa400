"""Lets every role see the catalogue of event types, and those who configure the hub change it. Taken back, none does."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

VIEWERS = ["Viewer", "Support", "Operator", "Lead", "Admin"]
EDITORS = ["Lead", "Admin"]


def give(apps, schema_editor):
    create_permissions(installed.get_app_config("webhooks"), verbosity=0, apps=apps)
    for group, permissions in _grants(apps):
        group.permissions.add(*permissions)


def take_back(apps, schema_editor):
    for group, permissions in _grants(apps):
        group.permissions.remove(*permissions)


def _grants(apps):
    ours = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="webhooks")
    groups = apps.get_model("auth", "Group").objects
    for verbs, names in ((["view"], VIEWERS), (["add", "change"], EDITORS)):
        permissions = list(ours.filter(codename__in=[f"{verb}_eventtype" for verb in verbs]))
        for group in groups.filter(name__in=names):
            yield group, permissions


class Migration(migrations.Migration):
    dependencies = [("hub", "0007_let_roles_tend_alerts"), ("webhooks", "0017_catalogue_event_types")]

    operations = [migrations.RunPython(give, take_back)]
