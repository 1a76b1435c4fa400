"""Lets issues say who moved them and until when, and lets their page be read by indexes alone."""

import django.db.models.deletion
from django.db import migrations, models


# All deliveries of an issue failed alike, so any of them tells.
OUTCOMES = """
    UPDATE deliveries_issue SET outcome = COALESCE((
        SELECT last_outcome FROM deliveries_delivery
        WHERE NOT (deliveries_delivery.fingerprint = '') AND deliveries_delivery.fingerprint = deliveries_issue.fingerprint
        LIMIT 1), '')
"""


class Migration(migrations.Migration):

    dependencies = [
        ("deliveries", "0010_name_who_runs_tasks_again"),
        ('webhooks', '0003_know_every_provider'),
    ]

    operations = [
        migrations.AddField(
            model_name='issue',
            name='ignored_until',
            field=models.DateTimeField(blank=True, help_text='Exactly while ignored.', null=True),
        ),
        migrations.AddField(
            model_name='issue',
            name='state_at',
            field=models.DateTimeField(blank=True, help_text='When its state last changed; empty: never.', null=True),
        ),
        migrations.AddField(
            model_name='issue',
            name='state_by',
            field=models.CharField(blank=True, help_text='Who changed it last; empty: it changed by itself.', max_length=200),
        ),
        migrations.AddField(
            model_name='issue',
            name='outcome',
            field=models.CharField(blank=True, default='', help_text='What came of the last attempt.', max_length=20),
            preserve_default=False,
        ),
        migrations.RunSQL(OUTCOMES, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name='deadletter',
            name='issue',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='dead_letters', to='deliveries.issue'),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(fields=['issue', 'died_at'], name='dead_letter_issue_idx'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state', 'dead')), fields=['fingerprint', 'event_type'], name='delivery_dead_issue_idx'),
        ),
        migrations.AddIndex(
            model_name='issue',
            index=models.Index(fields=['state', 'last_seen_at', 'id'], name='issue_state_idx'),
        ),
        # Nothing ignored an issue before; whoever did it by hand gave no time.
        migrations.RunSQL(
            "UPDATE deliveries_issue SET state = 'open' WHERE state = 'ignored'", migrations.RunSQL.noop
        ),
        migrations.AddConstraint(
            model_name='issue',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ignored_until__isnull', False), ('state', 'ignored')), models.Q(models.Q(('state', 'ignored'), _negated=True), ('ignored_until__isnull', True)), _connector='OR'), name='issue_until_while_ignored'),
        ),
    ]
