"""Counts tries to log in, by digests of names and addresses."""

from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="LoginTries",
            fields=[
                ("key", models.UUIDField(primary_key=True, serialize=False)),
                ("since", models.DateTimeField(help_text="When the present window began.")),
                ("tries", models.PositiveIntegerField(default=0)),
            ],
            options={"verbose_name_plural": "login tries", "default_permissions": ()},
        ),
    ]
