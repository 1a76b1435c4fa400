"""Finds events by the entity that they are about."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0020_discard_events_from_quarantine'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('entity', ''), _negated=True), fields=['entity', 'id'], name='event_entity_idx'),
        ),
    ]
