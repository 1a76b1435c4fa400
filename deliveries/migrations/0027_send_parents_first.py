"""How deep in its cascade a replay from a node sends just now: its parents go before their children."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('deliveries', '0026_find_replays_of_a_delivery'),
    ]

    operations = [
        migrations.AddField(
            model_name='replay',
            name='wave',
            field=models.PositiveSmallIntegerField(blank=True, help_text='How deep in its cascade it sends just now, of one that sends parents first; empty: of any other.', null=True),
        ),
    ]
