"""Lets a source pin a certificate, and keeps no private key in its place."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0021_find_events_by_entity'),
    ]

    operations = [
        migrations.AddField(
            model_name='source',
            name='pinned_certificate',
            field=models.TextField(blank=True, default='', editable=False, help_text="PEM. Believed instead of the provider's own, of schemes that sign by a certificate. Empty: fetched."),
        ),
        migrations.AddConstraint(
            model_name='source',
            constraint=models.CheckConstraint(condition=models.Q(('pinned_certificate', ''), models.Q(('pinned_certificate__startswith', '-----BEGIN CERTIFICATE-----'), models.Q(('pinned_certificate__contains', 'PRIVATE KEY'), _negated=True)), _connector='OR'), name='source_pinned_is_certificate'),
        ),
    ]
