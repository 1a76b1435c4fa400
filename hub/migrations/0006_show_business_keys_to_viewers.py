"""Lets every role see by which names events are known. Taken back, none does."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

ROLES = ["Viewer", "Support", "Operator", "Lead", "Admin"]


def give(apps, schema_editor):
    create_permissions(installed.get_app_config("webhooks"), verbosity=0, apps=apps)
    for group in apps.get_model("auth", "Group").objects.filter(name__in=ROLES):
        group.permissions.add(_view(apps))


def take_back(apps, schema_editor):
    for group in apps.get_model("auth", "Group").objects.filter(name__in=ROLES):
        group.permissions.remove(_view(apps))


def _view(apps):
    permissions = apps.get_model("auth", "Permission").objects
    return permissions.get(content_type__app_label="webhooks", codename="view_businesskey")


class Migration(migrations.Migration):

    dependencies = [("hub", "0005_show_receipts_to_viewers"), ("webhooks", "0010_know_events_by_business_keys")]

    operations = [migrations.RunPython(give, take_back)]
