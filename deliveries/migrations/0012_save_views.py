"""Keeps filters of the deliveries page under a name."""

import django.db.models.deletion
import django.utils.timezone
import webhooks.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("deliveries", "0011_give_issues_their_states"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SavedView',
            fields=[
                ('id', models.UUIDField(default=webhooks.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=60)),
                ('is_shared', models.BooleanField(default=False, help_text='Everybody sees it; its owner alone removes it.')),
                ('params', models.JSONField(blank=True, default=dict)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('is_shared', True)), fields=['name'], name='saved_view_shared_idx')],
                'constraints': [models.UniqueConstraint(fields=('owner', 'name'), name='saved_view_owner_name_unique')],
            },
        ),
    ]
