"""Totals of receipts that only grow, which counters are read from; they begin at nought."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0017_catalogue_event_types'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReceiptTotal',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('source_id', models.UUIDField(help_text='No foreign key: requests to no source are counted too.')),
                ('verdict', models.CharField(max_length=12)),
                ('reason', models.CharField(blank=True, max_length=40)),
                ('count', models.BigIntegerField()),
                ('last_at', models.DateTimeField()),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('source_id', 'verdict', 'reason'), name='receipt_total_unique')],
            },
        ),
    ]
