"""How a replay is said to people: its title, its criteria, its failures, what it leaves out. It reads only names."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from deliveries.deciders.delivery_address import parse
from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.delivery_signs import response_tag
from deliveries.deciders.delivery_words import OUTCOME_WORDS, sentence
from deliveries.deciders.outcome import Outcome
from deliveries.deciders.replay_choice import PRESET_WORDS, Choice
from deliveries.models import Replay
from deliveries.selectors.replay_estimate import Estimate


def failure_words(outcome: str, status: int | None) -> str:
    if not outcome:
        return "Never attempted"
    known = outcome in Outcome._value2member_map_
    words = OUTCOME_WORDS[Outcome(outcome)] if known else outcome
    return words[:1].upper() + words[1:]


def failures_of(found: Iterable[Any]) -> list[tuple[str, str, str, int]]:
    """Tag, tone, words and count of each."""
    return [
        (*response_tag(each.outcome, each.status), failure_words(each.outcome, each.status), each.count)
        for each in found
    ]


def noun(choice: Choice, found: Estimate) -> str:
    only_dead = choice.wanted == (Status.DEAD,) and not found.missing
    name = "dead letter" if only_dead else "deliver"
    if name == "deliver":
        return "delivery" if found.count == 1 else "deliveries"
    return name if found.count == 1 else f"{name}s"


def title(choice: Choice, found: Estimate) -> str:
    """`Replay 389 dead letters to ERP core`."""
    verb = choice.verb.capitalize()
    if not found.count:
        return f"Nothing to {choice.verb}"
    names = [each.name for each in found.subscriptions]
    to = names[0] if len(names) == 1 else f"{len(names)} subscriptions"
    return f"{verb} {found.count:,} {noun(choice, found)} {'of' if choice.is_discard else 'to'} {to}"


def criteria_words(replay: Replay, names: Mapping[UUID, str]) -> str:
    """Its frozen query in one line; a preset says first what it is."""
    query = parse(replay.criteria).query
    words = [PRESET_WORDS.get(replay.preset, ""), sentence(query, names=names)]
    return ": ".join(filter(None, words))


def short_title(replay: Replay, names: Mapping[UUID, str]) -> str:
    """`Replay to ERP core, 503`: to whom, and after what, where that is one thing."""
    query: DeliveryQuery = parse(replay.criteria).query
    told: Sequence[Any] = replay.summary.get("subscriptions", [])
    to = told[0][1] if len(told) == 1 else f"{len(told)} subscriptions"
    failures = replay.summary.get("failures", [])
    after = response_tag(failures[0][0], failures[0][1])[0] if len(failures) == 1 else ""
    said = [to if told else sentence(query, names=names), after]
    verb = "Discard of" if replay.verb == "discard" else "Replay to"
    return f"{verb} {', '.join(filter(None, said))}"
