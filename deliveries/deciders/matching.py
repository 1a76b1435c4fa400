"""Decides which subscriptions an event may interest, by source and type. It never evaluates a filter."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from webhooks.deciders.expressions import Expression
from webhooks.deciders.own import OWN_SOURCE, names_own

ANY = "*"
SUBTREE = ".*"
MAX_PATTERN = 200  # characters, as many as an event type has
# Remembered answers. Events come in few kinds; a sender that invents a type per event only costs us these.
REMEMBERED = 4_096


def validate_pattern(text: str) -> None:
    """Raises ValueError with one sentence. Legal are `user.created`, `user.*` and `*`."""
    if not text:
        raise ValueError("An event type must not be empty.")
    if len(text) > MAX_PATTERN:
        raise ValueError(f"An event type has at most {MAX_PATTERN} characters.")
    # Types with spaces exist ("Push Hook"), but one that begins or ends with a space is a slip.
    if not text.isprintable() or text != text.strip():
        raise ValueError("An event type must not have control characters, nor spaces around it.")
    stem = "" if text == ANY else text.removesuffix(SUBTREE)
    if "*" in stem or text == SUBTREE:
        raise ValueError('A star stands alone ("*") or after a last dot ("user.*").')


def matches(pattern: str, event_type: str) -> bool:
    return pattern in _patterns_for(event_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one subscription asks for. No source ids means any source."""

    subscription_id: UUID
    subscriber_id: UUID | None = None  # whose it is; events may be for one subscriber alone
    source_ids: frozenset[UUID] = frozenset()
    patterns: tuple[str, ...] = (ANY,)
    filter: Expression | None = None
    is_ordered: bool = False
    latest_only: bool = False


@dataclass(slots=True, init=False)
class MatchTable:
    """All that is wanted, indexed once by source and pattern: no event looks at every subscription."""

    _wanted: tuple[Wanted, ...]
    _buckets: dict[tuple[UUID | None, str], list[int]] = field(repr=False)
    _answers: dict[tuple[UUID, str], tuple[Wanted, ...]] = field(repr=False)

    def __init__(self, wanted: Iterable[Wanted]) -> None:
        self._wanted = tuple(wanted)
        self._buckets = {}
        self._answers = {}
        for position, each in enumerate(self._wanted):
            for source_id in each.source_ids or (None,):
                for pattern in each.patterns:
                    # Weir's own types are its own source's: what others call so is somebody else's.
                    is_own = source_id is None and names_own([pattern])
                    bucket = (OWN_SOURCE if is_own else source_id, pattern)
                    self._buckets.setdefault(bucket, []).append(position)

    def __len__(self) -> int:
        return len(self._wanted)

    def candidates(self, source_id: UUID, event_type: str) -> tuple[Wanted, ...]:
        """Those whose source and type fit, each once, in the order given; their filters still have a say."""
        asked = (source_id, event_type)
        answer = self._answers.pop(asked, None)
        if answer is None:
            answer = self._look_up(source_id, event_type)
            if len(self._answers) >= REMEMBERED:
                del self._answers[next(iter(self._answers))]
        self._answers[asked] = answer  # put last: the first is the one not asked for longest
        return answer

    def _look_up(self, source_id: UUID, event_type: str) -> tuple[Wanted, ...]:
        # Of what Weir tells of itself nobody gets what he did not name; nor, unasked, what others call as Weir does.
        is_own = source_id == OWN_SOURCE or names_own([event_type])
        positions: set[int] = set()
        for pattern in _patterns_for(event_type):
            positions.update(self._buckets.get((source_id, pattern), ()))
            if not is_own:
                positions.update(self._buckets.get((None, pattern), ()))
        return tuple(self._wanted[position] for position in sorted(positions))


def _patterns_for(event_type: str) -> Iterator[str]:
    """Every pattern that fits: `*`, the type itself, and `a.*`, `a.b.*` for a type `a.b.c`."""
    yield ANY
    if event_type:
        yield event_type
    dot = event_type.find(".")
    while 0 <= dot < len(event_type) - 1:
        yield event_type[:dot] + SUBTREE
        dot = event_type.find(".", dot + 1)
