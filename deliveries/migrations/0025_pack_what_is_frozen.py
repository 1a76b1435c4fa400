"""A replay is frozen as packs of ids, which become items soon after. Backwards, what is packed becomes items at once."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

NOBODY = uuid.UUID(int=0)


def as_it_is(apps, schema_editor):
    """Random bytes are not worth PostgreSQL's trying to compress them, while a person waits."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE deliveries_replaypack ALTER COLUMN items SET STORAGE EXTERNAL")


def unpack(apps, schema_editor):
    packs, items = (apps.get_model("deliveries", name) for name in ("ReplayPack", "ReplayItem"))
    is_hex = schema_editor.connection.vendor == "sqlite"
    for pack in packs.objects.exclude(replay__state="cancelled").order_by("pk").iterator(chunk_size=10):
        raw = bytes.fromhex(bytes(pack.items).decode()) if is_hex else bytes(pack.items)
        ids = [uuid.UUID(bytes=raw[at : at + 16]) for at in range(0, len(raw), 16)]
        items.objects.bulk_create(
            [
                items(
                    replay_id=pack.replay_id,
                    subscription_id=subscription,
                    event_id=event,
                    delivery_id=None if delivery == NOBODY else delivery,
                )
                for subscription, event, delivery in zip(ids[::3], ids[1::3], ids[2::3], strict=True)
            ],
            ignore_conflicts=True,
        )


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0024_alert_of_quarantine"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReplayPack",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("items", models.BinaryField()),
                ("replay", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="packs", to="deliveries.replay")),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["replay", "id"], name="replay_pack_next_idx")],
            },
        ),
        migrations.RunPython(as_it_is, unpack),
    ]
