"""Lets rules open alerts, people acknowledge and mute them, and a breach wait until it has lasted."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import webhooks.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0014_index_open_letters_by_issue'),
        ('webhooks', '0011_permit_routing_again'),
    ]

    operations = [
        migrations.CreateModel(
            name='AlertRule',
            fields=[
                ('id', models.UUIDField(default=webhooks.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('slug', models.CharField(help_text='By which alerts name it, for good.', max_length=63, validators=[django.core.validators.RegexValidator('\\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\Z', 'Use 1 to 63 lower-case letters, digits and hyphens, not starting or ending with a hyphen.')])),
                ('name', models.CharField(max_length=100)),
                ('is_enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('severity', models.CharField(choices=[('critical', 'Critical'), ('warning', 'Warning'), ('info', 'Info')], default='warning', max_length=10)),
                ('measure', models.CharField(choices=[('success_rate', 'Success rate'), ('error_rate', 'Error rate'), ('latency', 'Latency'), ('oldest_due', 'Age of the oldest due delivery'), ('queue_depth', 'Deliveries due'), ('dead_letters', 'New dead letters'), ('circuit_open', 'Circuit not closed'), ('source_silent', 'Source silent'), ('dispatcher_missing', 'No dispatcher at work')], max_length=30, verbose_name='what is measured')),
                ('detail', models.CharField(blank=True, help_text='Of an error rate: 503, 5xx or an outcome such as timeout; empty: any. Of a latency: such as 99.', max_length=30, verbose_name='which failures, or which percentile')),
                ('over', models.CharField(choices=[('hub', 'The whole hub'), ('each_subscription', 'Each subscription by itself'), ('subscription', 'One subscription'), ('subscriber', 'All subscriptions of one subscriber'), ('each_source', 'Each source by itself'), ('source', 'One source')], default='hub', max_length=20)),
                ('threshold', models.FloatField(blank=True, help_text='A success rate is bad under it, all else at or above it: percent, ms, seconds, or a number.', null=True)),
                ('clear_threshold', models.FloatField(blank=True, help_text='Better than the threshold, so that what hovers about it opens one alert. Empty: the threshold.', null=True, verbose_name='over when it is back at')),
                ('window_s', models.PositiveIntegerField(blank=True, choices=[(300, '5 minutes'), (900, '15 minutes'), (1800, '30 minutes'), (3600, '1 hour'), (21600, '6 hours'), (86400, '24 hours')], null=True, verbose_name='measured over the last')),
                ('least_volume', models.PositiveIntegerField(default=0, help_text='Attempts or answers in that time; with fewer nothing opens.', verbose_name='fewest to judge by')),
                ('hold_s', models.PositiveIntegerField(default=0, help_text='How long it must be bad before an alert opens.', verbose_name='for at least, seconds')),
                ('remind_s', models.PositiveIntegerField(blank=True, help_text='Empty: an open alert is told once.', null=True, verbose_name='reminded every, seconds')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name='Breach',
            fields=[
                ('id', models.UUIDField(default=webhooks.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('rule', models.CharField(max_length=100)),
                ('scope', models.CharField(blank=True, max_length=200)),
                ('since', models.DateTimeField()),
            ],
            options={
                'verbose_name_plural': 'breaches',
            },
        ),
        migrations.CreateModel(
            name='Mute',
            fields=[
                ('id', models.UUIDField(default=webhooks.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('rule', models.CharField(max_length=100)),
                ('scope', models.CharField(blank=True, max_length=200)),
                ('is_of_every_scope', models.BooleanField(default=False, help_text='Of all that the rule is about.')),
                ('until', models.DateTimeField()),
                ('reason', models.CharField(max_length=500)),
                ('muted_by', models.CharField(max_length=200)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AlterModelOptions(
            name='alert',
            options={'permissions': [('acknowledge_alert', 'Can acknowledge alerts'), ('mute_alert', 'Can mute alerts')]},
        ),
        migrations.AddField(
            model_name='alert',
            name='acknowledged_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='alert',
            name='acknowledged_by',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='alert',
            name='ending',
            field=models.CharField(blank=True, help_text='How it came to its end, in a sentence.', max_length=500),
        ),
        migrations.AddField(
            model_name='alert',
            name='severity',
            field=models.CharField(choices=[('critical', 'Critical'), ('warning', 'Warning'), ('info', 'Info')], default='warning', max_length=10),
        ),
        migrations.AddField(
            model_name='alert',
            name='told_at',
            field=models.DateTimeField(blank=True, help_text='When channels were last told that it is open; empty: it was muted.', null=True),
        ),
        migrations.AlterField(
            model_name='alert',
            name='rule',
            field=models.CharField(help_text="The rule's slug.", max_length=100),
        ),
        migrations.AlterField(
            model_name='alert',
            name='scope',
            field=models.CharField(blank=True, help_text='The public id of what it is about; empty: the whole hub.', max_length=200),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['rule', 'id'], name='alert_rule_idx'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.CheckConstraint(condition=models.Q(('severity__in', ['critical', 'warning', 'info'])), name='alert_severity_known'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='source',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='webhooks.source'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='subscriber',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='webhooks.subscriber'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='subscription',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='deliveries.subscription'),
        ),
        migrations.AddConstraint(
            model_name='breach',
            constraint=models.UniqueConstraint(fields=('rule', 'scope'), name='breach_once'),
        ),
        migrations.AddIndex(
            model_name='mute',
            index=models.Index(fields=['until'], name='mute_until_idx'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.UniqueConstraint(fields=('slug',), name='alert_rule_slug_unique'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('severity__in', ['critical', 'warning', 'info'])), name='alert_rule_severity_known'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('over__in', ['hub', 'each_subscription', 'subscription', 'subscriber', 'each_source', 'source'])), name='alert_rule_over_known'),
        ),
    ]
