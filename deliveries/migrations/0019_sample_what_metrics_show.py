"""How old the oldest dead letter of a lane is, and how many requests each dispatcher has under way."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0018_keep_totals'),
    ]

    operations = [
        migrations.AddField(
            model_name='depthsample',
            name='oldest_dead_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='seat',
            name='in_flight',
            field=models.PositiveIntegerField(default=0, help_text='Requests under way when last seen.'),
        ),
    ]
