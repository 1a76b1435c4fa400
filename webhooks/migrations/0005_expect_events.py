"""Lets a source say how often something should come, and lists sources by name."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("webhooks", "0004_add_up_receipts")]

    operations = [
        migrations.AddField(
            model_name='source',
            name='expected_every_s',
            field=models.PositiveIntegerField(blank=True, help_text='No event for longer than this is silence, which is shown. Empty: it may be silent for ever.', null=True, verbose_name='expected at least every (seconds)'),
        ),
        migrations.AddIndex(
            model_name='source',
            index=models.Index(fields=['name', 'id'], name='source_name_idx'),
        ),
        migrations.AddConstraint(
            model_name='source',
            constraint=models.CheckConstraint(condition=models.Q(('expected_every_s', None), ('expected_every_s__gt', 0), _connector='OR'), name='source_expected_every_positive'),
        ),
    ]
