"""Makes the five roles as groups, each with what the one before may and something more. Taken back, it removes them.

Groups that a person made or changed under other names are left alone. A permission that Django would make only after
all migrations is made here, with the name that its model gives it.
"""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

# Whole pages that are payloads: they come with `view_payload`.
PAYLOADS = ["webhooks.view_eventbody", "deliveries.view_deliverybody", "deliveries.view_exchange"]

ROLES = {
    "Viewer": [],  # and every view permission of ours but for payloads
    "Support": ["webhooks.view_payload", *PAYLOADS, "deliveries.replay_delivery"],
    "Operator": [
        "deliveries.discard_delivery",
        "deliveries.bulk_replay",
        "deliveries.hold_subscription",
        "deliveries.test_subscription",
        "deliveries.triage_issue",
        "webhooks.accept_refusal",
    ],
    "Lead": [
        "deliveries.exceed_rate",
        "deliveries.manage_circuit",
        "deliveries.rotate_secret",
        "deliveries.add_subscription",
        "deliveries.change_subscription",
        "webhooks.route_event_again",
        *(f"webhooks.{verb}_{model}" for model in ("source", "subscriber") for verb in ("add", "change")),
    ],
    "Admin": [
        *(f"auth.{verb}_{model}" for model in ("user", "group") for verb in ("view", "add", "change", "delete")),
        "webhooks.add_apikey",
        "webhooks.change_apikey",
    ],
}

# Acts that are no plain add, change, delete or view: permission, its model, its name.
ACTS = [
    ("webhooks.accept_refusal", "refusal", "Can accept refused requests after all"),
    ("webhooks.route_event_again", "event", "Can route events again"),
    ("deliveries.discard_delivery", "delivery", "Can discard delivery"),
    ("deliveries.bulk_replay", "replay", "Can replay many deliveries at once"),
    ("deliveries.exceed_rate", "replay", "Can replay faster than a subscription's rate"),
    ("deliveries.triage_issue", "issue", "Can change the state of issues"),
    ("deliveries.hold_subscription", "subscription", "Can pause and resume subscription"),
    ("deliveries.test_subscription", "subscription", "Can send test events to subscription"),
    ("deliveries.rotate_secret", "subscription", "Can rotate the signing secret of subscription"),
    ("deliveries.manage_circuit", "lane", "Can trip and reset circuits"),
]


def give(apps, schema_editor):
    for label in ("auth", "webhooks", "deliveries"):
        create_permissions(installed.get_app_config(label), verbosity=0, apps=apps)
    for name, model, words in ACTS:
        _make(apps, name, model, words)
    granted = _views(apps)
    for role, more in ROLES.items():
        granted += [_permission(apps, name) for name in more]
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=role)
        group.permissions.add(*granted)


def take_back(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=list(ROLES)).delete()
    for name, model, _ in ACTS:
        label, codename = name.split(".")
        made = apps.get_model("auth", "Permission").objects.filter(codename=codename)
        made.filter(content_type__app_label=label, content_type__model=model).delete()


def _make(apps, name, model, words):
    label, codename = name.split(".")
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=label, model=model)
    permissions = apps.get_model("auth", "Permission").objects
    permissions.get_or_create(content_type=kind, codename=codename, defaults={"name": words})


def _views(apps):
    ours = apps.get_model("auth", "Permission").objects.filter(content_type__app_label__in=["webhooks", "deliveries"])
    hidden = [name.split(".")[1] for name in PAYLOADS]
    views = ours.filter(codename__startswith="view_").exclude(codename__in=[*hidden, "view_payload"])
    return list(views)


def _permission(apps, name):
    label, codename = name.split(".")
    return apps.get_model("auth", "Permission").objects.get(content_type__app_label=label, codename=codename)


class Migration(migrations.Migration):

    dependencies = [
        ("hub", "0001_count_login_tries"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("webhooks", "0003_know_every_provider"),
        ("deliveries", "0006_name_what_people_may"),  # the last one: a Viewer sees the models there are by then
    ]

    operations = [migrations.RunPython(give, take_back)]
