"""Keeps what was answered to requests with an Idempotency-Key."""

import django.db.models.deletion
import webhooks.ids
import webhooks.sealing
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0012_give_keys_an_owner'),
    ]

    operations = [
        migrations.CreateModel(
            name='KeptAnswer',
            fields=[
                ('id', models.UUIDField(default=webhooks.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('digest', models.BinaryField(help_text='SHA-256 of the Idempotency-Key.', max_length=32)),
                ('fingerprint', models.BinaryField(help_text='SHA-256 of method, address and body.', max_length=32)),
                ('token', models.UUIDField()),
                ('leased_until', models.DateTimeField(help_text='A request that died meanwhile is over by then.')),
                ('status', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('content', webhooks.sealing.SealedTextField(blank=True, default='', help_text='Headers and body as JSON; it may hold a secret.')),
                ('api_key', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='webhooks.apikey')),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('api_key', 'digest'), name='kept_answer_key_unique')],
            },
        ),
    ]
