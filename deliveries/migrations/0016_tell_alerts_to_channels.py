"""Keeps whom alerts are told, and what of that is still to be sent."""

import django.db.models.deletion
import django.utils.timezone
import webhooks.ids
import webhooks.sealing
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0015_open_alerts_by_rules'),
    ]

    operations = [
        migrations.CreateModel(
            name='AlertChannel',
            fields=[
                ('id', models.UUIDField(default=webhooks.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=100)),
                ('is_enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('sealed_url', webhooks.sealing.SealedTextField()),
                ('service', models.CharField(editable=False, help_text='What apprise takes the address for.', max_length=100)),
                ('hint', models.CharField(editable=False, help_text='The last four characters.', max_length=4)),
                ('severities', models.JSONField(blank=True, default=list, help_text='Only alerts of these; empty: of every severity.')),
                ('rules', models.JSONField(blank=True, default=list, help_text='Only alerts of the rules with these slugs; empty: of every rule.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name='AlertMessage',
            fields=[
                ('id', models.UUIDField(default=webhooks.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('opened', 'Opened'), ('reminded', 'Still open'), ('closed', 'Closed')], max_length=10)),
                ('severity', models.CharField(choices=[('critical', 'Critical'), ('warning', 'Warning'), ('info', 'Info')], max_length=10)),
                ('title', models.CharField(max_length=300)),
                ('text', models.CharField(max_length=1000)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('sent', 'Sent'), ('given_up', 'Given up')], default='pending', max_length=10)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('last_error', models.CharField(blank=True, max_length=200)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('alert', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='deliveries.alert')),
                ('channel', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='deliveries.alertchannel')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'pending')), fields=['due_at'], name='alert_message_due_idx'), models.Index(fields=['channel', 'id'], name='alert_message_channel_idx'), models.Index(fields=['alert', 'id'], name='alert_message_alert_idx')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('kind', 'reminded'), _negated=True), fields=('alert', 'channel', 'kind'), name='alert_message_once'), models.CheckConstraint(condition=models.Q(models.Q(('due_at__isnull', False), ('state', 'pending')), models.Q(models.Q(('state', 'pending'), _negated=True), ('due_at__isnull', True)), _connector='OR'), name='alert_message_due_while_pending'), models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'sent', 'given_up'])), name='alert_message_state_known'), models.CheckConstraint(condition=models.Q(('kind__in', ['opened', 'reminded', 'closed'])), name='alert_message_kind_known')],
            },
        ),
    ]
