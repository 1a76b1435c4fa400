"""Decides which deliveries a newer version of their entity has overtaken. It remembers no version itself."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Versioned(Protocol):
    """What an event says of its subject; without both of them it has none."""

    @property
    def entity(self) -> str: ...
    @property
    def entity_version(self) -> int | None: ...


V = TypeVar("V", bound=Versioned)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sifted(Generic[V]):
    """`fit` may be sent now; `outdated` never again; `waiting` once their entity is no longer in hand."""

    fit: list[V]
    outdated: list[V]
    waiting: list[V]


def is_outdated(each: Versioned, highest: int | None) -> bool:
    """A tie is not older: two events may tell of one version."""
    return (
        bool(each.entity)
        and each.entity_version is not None
        and highest is not None
        and each.entity_version < highest
    )


def sift(rows: Iterable[V], *, highest: Mapping[str, int], busy: Collection[str]) -> Sifted[V]:
    """Lets through one delivery per entity, and none while one of that entity is in hand (`busy`)."""
    sifted: Sifted[V] = Sifted(fit=[], outdated=[], waiting=[])
    taken = set(busy)
    for row in rows:
        if not row.entity or row.entity_version is None:
            sifted.fit.append(row)
        elif is_outdated(row, highest.get(row.entity)):
            sifted.outdated.append(row)
        elif row.entity in taken:
            sifted.waiting.append(row)
        else:
            taken.add(row.entity)
            sifted.fit.append(row)
    return sifted
