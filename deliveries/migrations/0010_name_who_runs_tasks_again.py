from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0009_index_what_notices_are_about"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="seat",
            options={"permissions": [("run_tasks_again", "Can run failed tasks again")]},
        ),
    ]
