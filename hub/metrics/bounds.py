"""Decides which series stand for themselves and which are told together as `other`. It reads nothing."""

from collections.abc import Callable, Iterable, Iterator

OTHER = "other"

Labels = tuple[str, ...]


def bounded(
    samples: Iterable[tuple[Labels, float]],
    *,
    most: int,
    together: Callable[[float, float], float] = lambda one, other: one + other,
) -> Iterator[tuple[Labels, float]]:
    """The first `most` as they are; of the rest, those that differ in their first label only become one.

    A counter must never fall: give its samples in an order in which each keeps its place for ever.
    """
    rest: dict[Labels, float] = {}
    for place, (labels, value) in enumerate(samples):
        if place < most:
            yield labels, value
        else:
            key = (OTHER, *labels[1:])
            rest[key] = together(rest[key], value) if key in rest else value
    yield from rest.items()
