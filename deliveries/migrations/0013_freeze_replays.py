"""Items are frozen by one statement, so their numbers are the database's; nothing made an item before this."""

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0012_save_views"),
        ("webhooks", "0003_know_every_provider"),
    ]

    operations = [
        migrations.DeleteModel(name="ReplayItem"),
        migrations.CreateModel(
            name="ReplayItem",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("state", models.CharField(choices=[("waiting", "Waiting"), ("admitted", "Admitted"), ("delivered", "Delivered"), ("failed", "Failed again"), ("skipped", "Skipped"), ("discarded", "Discarded")], default="waiting", max_length=10)),
                ("note", models.CharField(blank=True, help_text="Why it was skipped.", max_length=40)),
                ("settled_at", models.DateTimeField(blank=True, null=True)),
                ("delivery", models.ForeignKey(blank=True, db_constraint=False, db_index=False, help_text="Empty until it is made, where the event was never owed to the subscription.", null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="deliveries.delivery")),
                ("event", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="webhooks.event")),
                ("replay", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="items", to="deliveries.replay")),
                ("subscription", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="deliveries.subscription")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(condition=models.Q(("state__in", ["waiting", "admitted"])), fields=("event", "subscription"), name="replay_item_active_unique"),
                    models.CheckConstraint(condition=models.Q(("state__in", ["waiting", "admitted", "delivered", "failed", "skipped", "discarded"])), name="replay_item_state_known"),
                ],
                "indexes": [
                    models.Index(fields=["replay", "subscription", "id"], name="replay_item_order_idx"),
                    models.Index(condition=models.Q(("state", "admitted")), fields=["delivery"], name="replay_item_admitted_idx"),
                    models.Index(condition=models.Q(("state", "admitted")), fields=["subscription"], name="replay_item_under_way_idx"),
                    models.Index(condition=models.Q(("settled_at__isnull", False)), fields=["replay", "settled_at"], name="replay_item_settled_idx"),
                    models.Index(condition=models.Q(("state", "failed")), fields=["replay", "settled_at"], name="replay_item_failed_idx"),
                ],
            },
        ),
        migrations.CreateModel(
            name='ReplayLane',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('total', models.PositiveIntegerField(default=0)),
                ('read_to', models.BigIntegerField(default=0, help_text='The last item that was read to be carried out.')),
                ('is_proved', models.BooleanField(default=False, help_text='Its first delivery got a 2xx.')),
                ('is_done', models.BooleanField(default=False, help_text='No item waits any more.')),
            ],
        ),
        migrations.AddField(
            model_name='replay',
            name='admitted',
            field=models.PositiveIntegerField(default=0, help_text='Under way: pending, or in flight.'),
        ),
        migrations.AddField(
            model_name='replay',
            name='answers',
            field=models.JSONField(blank=True, default=list, help_text='The last answers before it stopped.'),
        ),
        migrations.AddField(
            model_name='replay',
            name='asked',
            field=models.CharField(blank=True, help_text='A digest of what was asked for, before its bounds were frozen.', max_length=64),
        ),
        migrations.AddField(
            model_name='replay',
            name='delivered',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='replay',
            name='discarded',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='replay',
            name='exceeds_limits',
            field=models.BooleanField(default=False, help_text='Above what a subscription allows.'),
        ),
        migrations.AddField(
            model_name='replay',
            name='failed',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='replay',
            name='leaves_out_held',
            field=models.BooleanField(default=False, help_text='Nothing of lanes that do not move.'),
        ),
        migrations.AddField(
            model_name='replay',
            name='newest_only',
            field=models.BooleanField(default=False, help_text='Of each entity only its newest event.'),
        ),
        migrations.AddField(
            model_name='replay',
            name='preset',
            field=models.CharField(blank=True, max_length=10),
        ),
        migrations.AddField(
            model_name='replay',
            name='recent',
            field=models.CharField(blank=True, help_text='The last verdicts: . good, x failed.', max_length=50),
        ),
        migrations.AddField(
            model_name='replay',
            name='returned',
            field=models.PositiveIntegerField(default=0, help_text='Given back by cancelling.'),
        ),
        migrations.AddField(
            model_name='replay',
            name='sends_one_first',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='replay',
            name='skipped',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='replay',
            name='stop_reason',
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name='replay',
            name='stops_itself',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='replay',
            name='summary',
            field=models.JSONField(blank=True, default=dict, help_text='The estimate, as it was when this started.'),
        ),
        migrations.AddField(
            model_name='replay',
            name='total',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='replay',
            name='verb',
            field=models.CharField(choices=[('replay', 'Replay'), ('discard', 'Discard')], default='replay', max_length=10),
        ),
        migrations.AlterField(
            model_name='replay',
            name='criteria',
            field=models.JSONField(blank=True, default=dict, help_text='The deliveries query, with its bounds frozen.'),
        ),
        migrations.AlterField(
            model_name='replay',
            name='rate_per_s',
            field=models.FloatField(blank=True, help_text='To each subscription; empty: its own.', null=True),
        ),
        migrations.AddIndex(
            model_name='replay',
            index=models.Index(condition=models.Q(('state__in', ['running', 'paused', 'stopped'])), fields=['asked'], name='replay_under_way_idx'),
        ),
        migrations.AddConstraint(
            model_name='replay',
            constraint=models.CheckConstraint(condition=models.Q(('verb__in', ['replay', 'discard'])), name='replay_verb_known'),
        ),
        migrations.AddConstraint(
            model_name='replay',
            constraint=models.CheckConstraint(condition=models.Q(('total__gte', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('admitted'), '+', models.F('delivered')), '+', models.F('failed')), '+', models.F('skipped')), '+', models.F('discarded')), '+', models.F('returned')))), name='replay_counts_add_up'),
        ),
        migrations.AddField(
            model_name='replaylane',
            name='replay',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='lanes', to='deliveries.replay'),
        ),
        migrations.AddField(
            model_name='replaylane',
            name='subscription',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='deliveries.subscription'),
        ),
        migrations.AddIndex(
            model_name='replaylane',
            index=models.Index(condition=models.Q(('is_done', False)), fields=['subscription'], name='replay_lane_open_idx'),
        ),
        migrations.AddConstraint(
            model_name='replaylane',
            constraint=models.UniqueConstraint(fields=('replay', 'subscription'), name='replay_lane_pair_unique'),
        ),
    ]
