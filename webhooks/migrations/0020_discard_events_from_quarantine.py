"""Lets a person discard what waits in quarantine."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0019_pass_tracestate_on'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='event',
            name='event_state_known',
        ),
        migrations.RemoveConstraint(
            model_name='event',
            name='event_routed_at_once_routed',
        ),
        migrations.AlterField(
            model_name='event',
            name='state',
            field=models.CharField(choices=[('scheduled', 'Scheduled'), ('received', 'Received'), ('routed', 'Routed'), ('unmatched', 'Unmatched'), ('quarantined', 'Quarantined'), ('discarded', 'Discarded')], default='received', max_length=12),
        ),
        migrations.AddConstraint(
            model_name='event',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['scheduled', 'received', 'routed', 'unmatched', 'quarantined', 'discarded'])), name='event_state_known'),
        ),
        migrations.AddConstraint(
            model_name='event',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('routed_at__isnull', True), ('state__in', ['scheduled', 'received', 'quarantined', 'discarded'])), models.Q(('routed_at__isnull', False), ('state__in', ['routed', 'unmatched'])), _connector='OR'), name='event_routed_at_once_routed'),
        ),
    ]
