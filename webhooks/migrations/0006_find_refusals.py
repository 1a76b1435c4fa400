"""Finds the refusals that wait, by source and by reason, and those that were accepted after all."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("webhooks", "0005_expect_events")]

    operations = [
        migrations.AddIndex(
            model_name='refusal',
            index=models.Index(condition=models.Q(('accepted_at', None)), fields=['source', 'reason', 'id'], name='refusal_waiting_idx'),
        ),
        migrations.AddIndex(
            model_name='refusal',
            index=models.Index(fields=['reason', 'id'], name='refusal_reason_idx'),
        ),
        migrations.AddIndex(
            model_name='refusal',
            index=models.Index(condition=models.Q(('accepted_at__isnull', False)), fields=['id'], name='refusal_accepted_idx'),
        ),
    ]
