"""Lets a key belong to a subscriber, or publish to some sources alone. Taken back, subscribers' keys are gone."""

import django.db.models.deletion
from django.db import migrations, models


def keep(apps, schema_editor):
    """Nothing: no key is a subscriber's yet."""


def forget(apps, schema_editor):
    """What was before knows no such role."""
    apps.get_model("webhooks", "ApiKey").objects.filter(role="subscriber").delete()
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or the table could not be altered in this transaction


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0011_permit_routing_again'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='apikey',
            name='api_key_role_known',
        ),
        migrations.AddField(
            model_name='apikey',
            name='sources',
            field=models.ManyToManyField(blank=True, help_text='For the role publisher alone: where it may publish. None: everywhere.', related_name='+', to='webhooks.source'),
        ),
        migrations.AddField(
            model_name='apikey',
            name='subscriber',
            field=models.ForeignKey(blank=True, help_text='Whose key this is; for the role subscriber alone.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='api_keys', to='webhooks.subscriber'),
        ),
        migrations.AlterField(
            model_name='apikey',
            name='role',
            field=models.CharField(choices=[('operator', 'Operator'), ('publisher', 'Publisher'), ('subscriber', 'Subscriber'), ('viewer', 'Viewer')], max_length=20),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('role__in', ['operator', 'publisher', 'subscriber', 'viewer'])), name='api_key_role_known'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('role', 'subscriber'), ('subscriber__isnull', False)), models.Q(models.Q(('role', 'subscriber'), _negated=True), ('subscriber__isnull', True)), _connector='OR'), name='api_key_subscriber_owned'),
        ),
        migrations.RunPython(keep, forget),
    ]
