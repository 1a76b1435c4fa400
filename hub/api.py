"""The root of the REST API, version 1: which door stands where. Canonical without a trailing slash."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from deliveries.api.alerts import AlertDoor
from deliveries.api.attempts import AttemptDoor
from deliveries.api.cascades import CascadeDoor
from deliveries.api.dead_letters import DeadLetterDoor
from deliveries.api.deliveries import DeliveryDoor
from deliveries.api.events import EventDoor
from deliveries.api.issues import IssueDoor
from deliveries.api.replays import ReplayDoor
from deliveries.api.stats import StatsDoor
from deliveries.api.subscriptions import SubscriptionDoor
from webhooks.api import SourceDoor, SubscriberDoor
from webhooks.batch_api import EventBatchDoor
from webhooks.event_type_api import EventTypeDoor
from webhooks.key_api import ApiKeyDoor
from webhooks.refusal_api import RefusalDoor

router = SimpleRouter()
router.trailing_slash = "/?"
# First what is asked for most; and the batch before what would take it for an id.
router.register("events/batch", EventBatchDoor, basename="event-batch")
router.register("events", EventDoor, basename="event")
router.register("sources", SourceDoor, basename="source")
router.register("subscribers", SubscriberDoor, basename="subscriber")
router.register("subscriptions", SubscriptionDoor, basename="subscription")
router.register("event-types", EventTypeDoor, basename="event-type")
router.register("deliveries", DeliveryDoor, basename="delivery")
router.register("cascades", CascadeDoor, basename="cascade")
router.register("alerts", AlertDoor, basename="alert")
router.register("deliveries/(?P<delivery_pk>[^/]+)/attempts", AttemptDoor, basename="attempt")
router.register("dead-letters", DeadLetterDoor, basename="dead-letter")
router.register("issues", IssueDoor, basename="issue")
router.register("replays", ReplayDoor, basename="replay")
router.register("refusals", RefusalDoor, basename="refusal")
router.register("stats", StatsDoor, basename="stats")
router.register("api-keys", ApiKeyDoor, basename="api-key")

urlpatterns = router.urls

# The same addresses as they are described: one each, without a slash.
_canonical = SimpleRouter(trailing_slash=False)
_canonical.registry = router.registry
described = [path("api/v1/", include(_canonical.urls))]
