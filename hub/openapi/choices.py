"""Which values the API's closed sets have, where a door tells one as plain text. It changes no answer."""

from typing import Final

from deliveries.api.replay_bodies import PRESET_NAMES
from deliveries.deciders.delivery_query import Status
from deliveries.deciders.endpoint import Mood
from deliveries.deciders.replay_choice import LEFT_OUT
from deliveries.models import DeliveryState, Hold, Phase
from deliveries.models.dead_letter import IssueState
from deliveries.models.lane import Circuit, LaneOrder
from deliveries.models.replay import ReplayState, Verb
from webhooks.models import EventState
from webhooks.models.source import SecretPurpose
from webhooks.services.accept import Prospect

# By the names of `words`.
CHOICES: Final[dict[str, list[str]]] = {
    "circuit": Circuit.values,
    "hold": Hold.values,
    "purpose": SecretPurpose.values,
    "Attempt.queue": [phase.name.lower() for phase in Phase],
    "CircuitChange.after": Circuit.values,
    "CircuitChange.before": Circuit.values,
    "DeadLetter.resolution": ["", "replayed", "discarded"],
    "Delivery.state": DeliveryState.values,
    "Endpoint.mood": [each.value for each in Mood],
    "Event.state": EventState.values,
    "Issue.state": IssueState.values,
    "Key.state": ["live", "expired", "revoked"],
    "Lane.order": LaneOrder.values,
    "LeftOut.why": list(LEFT_OUT),
    "Node.state": sorted({*EventState.values, *(each.value for each in Status)}),
    "Replay.kind": Verb.values,
    "Replay.preset": sorted(PRESET_NAMES.values()),
    "Replay.state": ReplayState.values,
    "Trial.prospect": [each.value for each in Prospect],
}
