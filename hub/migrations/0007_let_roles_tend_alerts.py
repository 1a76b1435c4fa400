"""Lets every role see alerts, Operators acknowledge, Leads mute, Admins edit rules and channels. Taken back, none does."""

from django.db import migrations

from ._roles import ADMINS, LEADS, OPERATORS, VIEWERS, giving

SEEN = ("alertrule", "alertchannel", "alertmessage", "breach", "mute")
EDITED = ("alertrule", "alertchannel")


class Migration(migrations.Migration):

    dependencies = [
        ("hub", "0006_show_business_keys_to_viewers"),
        ("deliveries", "0016_tell_alerts_to_channels"),
    ]

    operations = [
        giving(
            "deliveries",
            {
                **{f"view_{model}": VIEWERS for model in SEEN},
                "acknowledge_alert": OPERATORS,
                "mute_alert": LEADS,
                **{f"{verb}_{model}": ADMINS for model in EDITED for verb in ("add", "change")},
            },
            acts=[
                ("acknowledge_alert", "alert", "Can acknowledge alerts"),
                ("mute_alert", "alert", "Can mute alerts"),
            ],
        )
    ]
