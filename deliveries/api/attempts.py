"""The door of a delivery's attempts: a page of them, each with what was sent and answered. It sends nothing."""

from contextlib import suppress
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import Attempt, Delivery
from deliveries.selectors.delivery_story import sent_body
from webhooks.ids import parse_id
from webhooks.rest import Door

from .attempt_bodies import AttemptWhole


class AttemptDoor(ListModelMixin, Door[Attempt]):
    owned_by = "delivery__subscription__subscriber"
    queryset = Attempt.objects.select_related("exchange")
    serializer_class = AttemptWhole
    kind = "attempt"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.delivery = self._delivery(str(kwargs["delivery_pk"]))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the attempts of a delivery. Each has what was sent and answered, and the audit tells of each page."""
        page = super().list(request, *args, **kwargs)
        if any(each["request"] or each["response"] for each in page.data["results"]):
            self.opened = ("delivery", self.delivery.pk)
        return page

    def get_queryset(self) -> QuerySet[Attempt]:
        return super().get_queryset().filter(delivery=self.delivery)

    def get_serializer_context(self) -> dict[str, Any]:
        """What was sent is the same on every attempt, and read once."""
        sent = sent_body(self.delivery) if self.action == "list" else None
        return {**super().get_serializer_context(), "sent": sent[0] if sent else None}

    def _delivery(self, name: str) -> Delivery:
        with suppress(ValueError):
            rows: Any = Delivery.objects.filter(pk=parse_id("delivery", name))
            if (found := self.owned(rows, "subscription__subscriber").first()) is not None:
                return found  # type: ignore[return-value]  # `owned` narrows whatever it is given
        raise Http404("There is no such delivery.")
