"""The door of events on the outbound side: what the inbound one shows, and the deliveries an event became."""

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import Delivery
from webhooks import api
from webhooks.ids import public_id
from webhooks.models import Event
from webhooks.rest import address_for

from .cascades import QuarantineDoor
from .delivery_bodies import DeliveryBrief, EventDelivered
from .event_cascade import CascadeDoor
from .event_raw import RawDoor
from .filters import EventFilters
from .lists import Queried

SHOWN_DELIVERIES = 100  # of an event; it may have gone to thousands, and the list pages through them all


class EventDoor(Queried[Event], RawDoor, CascadeDoor, QuarantineDoor, api.EventDoor):
    """Adds to one event the deliveries it became, its bytes and its cascade, and lists as the console does."""

    filters = EventFilters

    @extend_schema(responses={200: EventDelivered})
    def retrieve(self, request: Request, pk: str) -> Response:
        """Read one event. It comes with its exact bytes and with the deliveries it became. The audit tells of it."""
        event = self.get_object()
        if hasattr(event, "content"):
            self.opened = ("event", event.pk)
        deliveries = _deliveries_of(event)
        shown = {
            **self.get_serializer(event).data,
            "deliveries": [DeliveryBrief(delivery).data for delivery in deliveries],
        }
        if len(deliveries) == SHOWN_DELIVERIES:
            path = f"{reverse('delivery-list')}?event={public_id('event', event.pk)}"
            shown["more_deliveries"] = address_for(request, path)
        return Response(shown)


def _deliveries_of(event: Event) -> list[Delivery]:
    rows = Delivery.objects.filter(event=event).select_related("source").order_by("-id")
    return list(rows[:SHOWN_DELIVERIES])
