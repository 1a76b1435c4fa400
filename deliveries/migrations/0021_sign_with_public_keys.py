"""Lets a subscription sign with ed25519, and tells of the private keys that people gave which public keys they have."""

from django.db import migrations, models

from webhooks.deciders.standard import PRIVATE, public_key
from webhooks.sealing import Unreadable


def tell(apps, schema_editor):
    """A secret whose encryption key is lost stays as it is: nothing can be signed with it anyway."""
    secrets = apps.get_model("deliveries", "SubscriptionSecret").objects
    subscriptions = apps.get_model("deliveries", "Subscription").objects
    for key, subscription in secrets.order_by("created_at").values_list("pk", "subscription_id"):
        try:
            plain = secrets.values_list("sealed", flat=True).get(pk=key)
        except Unreadable:
            continue
        if plain.startswith(PRIVATE):
            public = public_key(plain)
            secrets.filter(pk=key).update(public_key=public, hint=public[-4:])
        subscriptions.filter(pk=subscription).update(signing="v1a" if plain.startswith(PRIVATE) else "v1")


class Migration(migrations.Migration):
    dependencies = [("deliveries", "0020_send_cloudevents")]

    operations = [
        migrations.AddField(
            model_name="subscription",
            name="signing",
            field=models.CharField(
                choices=[
                    ("v1", "v1: HMAC-SHA256, with a secret that both sides know"),
                    ("v1a", "v1a: ed25519, whose public key the receiver may show to anyone"),
                    ("both", "Both"),
                ],
                default="v1",
                help_text="Changed by rotating its keys.",
                max_length=5,
            ),
        ),
        migrations.AddField(
            model_name="subscriptionsecret",
            name="public_key",
            field=models.CharField(
                blank=True, default="", help_text="whpk_…, by which a receiver verifies v1a.", max_length=60
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("signing__in", ["v1", "v1a", "both"])), name="subscription_signing_known"
            ),
        ),
        migrations.RunPython(tell, migrations.RunPython.noop),
    ]
