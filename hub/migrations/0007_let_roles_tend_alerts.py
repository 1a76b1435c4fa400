"""Lets every role see alerts, Operators acknowledge, Leads mute, Admins edit rules and channels. Taken back, none does."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

SEES = ["view_alertrule", "view_alertchannel", "view_alertmessage", "view_breach", "view_mute"]
ROLES = {
    "Viewer": SEES,
    "Support": SEES,
    "Operator": [*SEES, "acknowledge_alert"],
    "Lead": [*SEES, "acknowledge_alert", "mute_alert"],
    "Admin": [
        *SEES, "acknowledge_alert", "mute_alert",
        *(f"{verb}_{model}" for model in ("alertrule", "alertchannel") for verb in ("add", "change")),
    ],
}  # fmt: skip
ACTS = {"acknowledge_alert": "Can acknowledge alerts", "mute_alert": "Can mute alerts"}


def give(apps, schema_editor):
    create_permissions(installed.get_app_config("deliveries"), verbosity=0, apps=apps)
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="deliveries", model="alert"
    )
    for codename, name in ACTS.items():
        apps.get_model("auth", "Permission").objects.get_or_create(
            content_type=kind, codename=codename, defaults={"name": name}
        )
    for group in apps.get_model("auth", "Group").objects.filter(name__in=list(ROLES)):
        group.permissions.add(*_permissions(apps, ROLES[group.name]))


def take_back(apps, schema_editor):
    for group in apps.get_model("auth", "Group").objects.filter(name__in=list(ROLES)):
        group.permissions.remove(*_permissions(apps, ROLES[group.name]))


def _permissions(apps, codenames):
    permissions = apps.get_model("auth", "Permission").objects
    return permissions.filter(content_type__app_label="deliveries", codename__in=codenames)


class Migration(migrations.Migration):

    dependencies = [
        ("hub", "0006_show_business_keys_to_viewers"),
        ("deliveries", "0016_tell_alerts_to_channels"),
    ]

    operations = [migrations.RunPython(give, take_back)]
