"""Gives the role Admin the permission to have failed tasks run again. Taken back, the permission is gone."""

from django.db import migrations

CODENAME = "run_tasks_again"


def give(apps, schema_editor):
    kinds = apps.get_model("contenttypes", "ContentType").objects
    kind, _ = kinds.get_or_create(app_label="deliveries", model="seat")
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename=CODENAME, defaults={"name": "Can run failed tasks again"}
    )
    for admin in apps.get_model("auth", "Group").objects.filter(name="Admin"):
        admin.permissions.add(permission)


def take_back(apps, schema_editor):
    permissions = apps.get_model("auth", "Permission").objects
    permissions.filter(content_type__app_label="deliveries", codename=CODENAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("hub", "0003_show_past_depths_to_viewers"),
        ("deliveries", "0010_name_who_runs_tasks_again"),
    ]

    operations = [migrations.RunPython(give, take_back)]
