"""Counts what each API key asks in a minute."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0013_keep_answers'),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiUsage',
            fields=[
                ('api_key', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='webhooks.apikey')),
                ('minute', models.BigIntegerField(help_text='Minutes since 1970.')),
                ('taken', models.PositiveIntegerField(default=0)),
            ],
            options={
                'verbose_name_plural': 'API usage',
                'default_permissions': (),
            },
        ),
    ]
