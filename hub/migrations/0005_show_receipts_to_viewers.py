"""Lets every role see what became of requests at the door. Taken back, none does."""

from django.db import migrations

from ._roles import VIEWERS, giving


class Migration(migrations.Migration):

    dependencies = [("hub", "0004_let_admins_run_tasks_again"), ("webhooks", "0004_add_up_receipts")]

    operations = [giving("webhooks", {"view_receiptrollup": VIEWERS})]
