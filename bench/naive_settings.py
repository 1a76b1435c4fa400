"""The hub's settings with django-q2 set up for one task per delivery, as fast as it goes."""

from hub.settings import *  # noqa: F403
from hub.settings import DATABASES, Q_CLUSTER

WORKERS = 4
Q_CLUSTER = Q_CLUSTER | {
    "workers": WORKERS,
    "bulk": 50,  # tasks fetched at once: one at a time, the fetching would be what is measured
    "queue_limit": 200,
    "poll": 0.05,
    "recycle": 100_000,
    "save_limit": -1,
    "timeout": 60,
    "retry": 600,
}
# django-q2 would ask the database before every task whether it is still there.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = False
