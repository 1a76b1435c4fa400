"""Lets every role see how deep the lanes were. Taken back, none does."""

from django.db import migrations

from ._roles import VIEWERS, giving


class Migration(migrations.Migration):

    dependencies = [("hub", "0002_give_roles"), ("deliveries", "0007_keep_how_deep_lanes_were")]

    operations = [giving("deliveries", {"view_depthslice": VIEWERS})]
