"""Lets payloads be seen by a permission of their own."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("webhooks", "0001_hold_what_came_in")]

    operations = [
        migrations.AlterModelOptions(
            name="event",
            options={"permissions": [("view_payload", "Can view payloads: bodies and header values")]},
        ),
    ]
