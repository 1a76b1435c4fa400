"""Sets aside what exceeds the limits of a cascade, and notes the causes that did not hold."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0022_prove_before_use'),
        ('webhooks', '0020_discard_events_from_quarantine'),
    ]

    operations = [
        migrations.CreateModel(
            name='DoubtedCause',
            fields=[
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='doubted', serialize=False, to='webhooks.event')),
                ('claimed_id', models.UUIDField()),
                ('why', models.CharField(choices=[('unknown', 'there is no such delivery'), ('foreign', 'that delivery went to another subscriber than the one its source belongs to'), ('expired', 'that delivery is past retention')], max_length=10)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Quarantine',
            fields=[
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='quarantine', serialize=False, to='webhooks.event')),
                ('trace_id', models.UUIDField(blank=True, help_text='The cascade that counts it.', null=True)),
                ('why', models.CharField(choices=[('depth', 'too deep in its cascade, as in a loop'), ('budget', 'one too many of its cascade in a short time'), ('unroutable', 'one that could not be routed')], max_length=10)),
                ('set_aside_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('fate', models.CharField(choices=[('waiting', 'Waiting'), ('released', 'Released'), ('discarded', 'Discarded')], default='waiting', max_length=9)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AlterModelOptions(
            name='cascade',
            options={'permissions': [('release_quarantine', 'Can release and discard quarantined events')]},
        ),
        migrations.AddField(
            model_name='cascade',
            name='budget_from',
            field=models.DateTimeField(blank=True, help_text='When its window began.', null=True),
        ),
        migrations.AddField(
            model_name='cascade',
            name='budget_spent',
            field=models.PositiveIntegerField(default=0, help_text='Events since then.'),
        ),
        migrations.AddField(
            model_name='cascade',
            name='quarantined',
            field=models.PositiveIntegerField(default=0, help_text='Events of it that wait in quarantine.'),
        ),
        migrations.AlterField(
            model_name='cascade',
            name='quarantined_at',
            field=models.DateTimeField(blank=True, help_text='Since when some do.', null=True),
        ),
        migrations.AddIndex(
            model_name='cascade',
            index=models.Index(condition=models.Q(('quarantined__gt', 0)), fields=['root'], name='cascade_quarantined_idx'),
        ),
        migrations.AddConstraint(
            model_name='cascade',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('quarantined', 0), ('quarantined_at__isnull', True)), models.Q(('quarantined__gt', 0), ('quarantined_at__isnull', False)), _connector='OR'), name='cascade_quarantined_since'),
        ),
        migrations.AddConstraint(
            model_name='doubtedcause',
            constraint=models.CheckConstraint(condition=models.Q(('why__in', ['unknown', 'foreign', 'expired'])), name='doubted_cause_why_known'),
        ),
        migrations.AddIndex(
            model_name='quarantine',
            index=models.Index(condition=models.Q(('fate', 'waiting')), fields=['trace_id', 'event'], name='quarantine_waiting_idx'),
        ),
        migrations.AddConstraint(
            model_name='quarantine',
            constraint=models.CheckConstraint(condition=models.Q(('why__in', ['depth', 'budget', 'unroutable'])), name='quarantine_why_known'),
        ),
        migrations.AddConstraint(
            model_name='quarantine',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('fate', 'waiting'), ('settled_at__isnull', True)), models.Q(('fate__in', ['released', 'discarded']), ('settled_at__isnull', False)), _connector='OR'), name='quarantine_settled_once_over'),
        ),
    ]
