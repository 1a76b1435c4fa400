"""Adds up by the hour what became of requests at the door, and how often each secret matched."""

import webhooks.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("webhooks", "0003_know_every_provider")]

    operations = [
        migrations.CreateModel(
            name='ReceiptRollup',
            fields=[
                ('id', models.UUIDField(default=webhooks.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('source_id', models.UUIDField(help_text='No foreign key: requests to no source are counted too.')),
                ('starts_at', models.DateTimeField()),
                ('verdict', models.CharField(max_length=12)),
                ('reason', models.CharField(blank=True, help_text='Why, of those that were refused.', max_length=40)),
                ('count', models.PositiveIntegerField()),
                ('last_at', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='sourcesecret',
            name='last_matched_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='sourcesecret',
            name='matches',
            field=models.BigIntegerField(default=0, editable=False, help_text='Requests it proved.'),
        ),
        migrations.AddIndex(
            model_name='receiptrollup',
            index=models.Index(fields=['starts_at'], name='receipt_rollup_starts_idx'),
        ),
        migrations.AddConstraint(
            model_name='receiptrollup',
            constraint=models.UniqueConstraint(fields=('source_id', 'starts_at', 'verdict', 'reason'), name='receipt_rollup_slice_unique'),
        ),
    ]
