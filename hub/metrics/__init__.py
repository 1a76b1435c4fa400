"""What Prometheus is told at /metrics. Nothing here counts anything: it reads what is counted in the tables.

Two kinds of series, and why. All that begins with `weir_` is read from the database at each scrape, so it is the same
whichever process or machine is asked, and a process that is killed takes no count along:

- *State* (depths, circuits, seats) is read from small tables: lanes, seats, and the samples of how deep lanes are.
- *Counters and histograms* are read from totals (deliveries.models.total, webhooks.models.ReceiptTotal). Those are
  added to in the very statements that fold tallies into rollups, so both say the same; they only grow, where rollups
  are dropped by age, so a counter read from them never falls. Attempts and deliveries are exact; receipts are what web
  processes have added up, a few seconds late, and lose what one had not added when it was killed.

What begins with `django_`, `python_` or `process_` is each web server's own, from the files its processes share
(PROMETHEUS_MULTIPROC_DIR), and tells of one machine only.

How many series there are does not grow with what is sent: a family has at most HUB_METRICS_MAX_SERIES that name a
subscription or a source, and one `other` for each kind of what lies beyond.
"""

from .page import metrics

__all__ = ["metrics"]
