"""Where the inbound door stands: `/in/<slug>`, with a slash or without, as no sender follows a redirect."""

from django.db import transaction
from django.urls import re_path

from .views import ReceiptView

urlpatterns = [
    re_path(r"^(?P<slug>[^/]+)/?\Z", transaction.non_atomic_requests(ReceiptView.as_view()), name="receipt"),
]
