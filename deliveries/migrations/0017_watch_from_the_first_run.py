"""Gives a hub the rules that every hub wants. Taken back, these five are gone; others stay."""

from django.db import migrations

RULES = [
    {
        "slug": "success-rate", "name": "Success rate under 95 %", "severity": "warning", "measure": "success_rate",
        "over": "hub", "threshold": 95.0, "clear_threshold": 97.0, "window_s": 900, "least_volume": 20,
        "remind_s": 14_400,
    },
    {
        "slug": "oldest-due", "name": "A delivery is due for over 5 minutes", "severity": "warning",
        "measure": "oldest_due", "over": "hub", "threshold": 300.0, "clear_threshold": 120.0, "remind_s": 14_400,
    },
    {
        "slug": "dead-letter", "name": "A new dead letter", "severity": "warning", "measure": "dead_letters",
        "over": "hub", "threshold": 1.0, "window_s": 900,
    },
    {
        "slug": "circuit-open", "name": "A circuit is open for over 10 minutes", "severity": "warning",
        "measure": "circuit_open", "over": "each_subscription", "hold_s": 600, "remind_s": 86_400,
    },
    {
        "slug": "no-dispatcher", "name": "No dispatcher for a minute", "severity": "critical",
        "measure": "dispatcher_missing", "over": "hub", "hold_s": 60, "remind_s": 1_800,
    },
]  # fmt: skip


def give(apps, schema_editor):
    rules = apps.get_model("deliveries", "AlertRule").objects
    for rule in RULES:
        rules.get_or_create(slug=rule["slug"], defaults=rule)


def take_back(apps, schema_editor):
    slugs = [rule["slug"] for rule in RULES]
    apps.get_model("deliveries", "AlertRule").objects.filter(slug__in=slugs).delete()


class Migration(migrations.Migration):

    dependencies = [("deliveries", "0016_tell_alerts_to_channels")]

    operations = [migrations.RunPython(give, take_back)]
