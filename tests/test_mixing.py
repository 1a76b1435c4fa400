"""First attempts, retries and replays share a lane's free slots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.deciders.mixing import Room, mix


def chosen(room: Room, firsts: int, retries: int, replays: int) -> str:
    queues = [
        [f"f{n}" for n in range(firsts)],
        [f"r{n}" for n in range(retries)],
        [f"p{n}" for n in range(replays)],
    ]
    return "".join(each[0] for each in mix(room, queues))


@pytest.mark.parametrize(
    ("room", "queues", "expected"),
    [
        (Room(window=4), (9, 0, 0), "ffff"),
        (Room(window=4), (0, 9, 0), "rrrr"),
        (Room(window=4), (9, 9, 0), "frfr"),
        (Room(window=4), (1, 9, 0), "frrr"),
        (Room(window=4), (0, 0, 9), "pp"),
        (Room(window=4), (9, 0, 9), "fpfp"),
        (Room(window=4), (0, 9, 9), "rprp"),
        (Room(window=4, retries=2), (9, 9, 0), "ff"),
        (Room(window=4, firsts=4), (9, 9, 9), ""),
        (Room(window=3), (9, 9, 0), "frf"),
        (Room(window=1), (9, 9, 0), "f"),
        (Room(window=1, last_was_first=True), (9, 9, 0), "r"),
        (Room(window=1, last_was_first=True), (9, 0, 0), "f"),
        (Room(window=1), (0, 0, 9), "p"),
    ],
)
def test_slots_go_to_each_side_in_its_share(room: Room, queues: tuple[int, int, int], expected: str) -> None:
    assert chosen(room, *queues) == expected


def test_each_queue_keeps_its_own_order() -> None:
    assert mix(Room(window=4), [["f0", "f1"], ["r0", "r1"], []]) == ["f0", "r0", "f1", "r1"]


small = st.integers(min_value=0, max_value=12)


@given(window=st.integers(1, 12), held=st.tuples(small, small, small), queues=st.tuples(small, small, small))
def test_a_window_is_never_overfilled_and_never_idle_while_live_work_waits(
    window: int, held: tuple[int, int, int], queues: tuple[int, int, int]
) -> None:
    room = Room(window=window, firsts=held[0], retries=held[1], replays=held[2])
    result = chosen(room, *queues)
    assert len(result) <= room.total
    if queues[0] + queues[1] >= room.total:
        assert len(result) == room.total


@given(window=st.integers(2, 12), retries=small, replays=small)
def test_while_first_attempts_wait_they_get_at_least_half(window: int, retries: int, replays: int) -> None:
    result = chosen(Room(window=window), 99, retries, replays)
    assert result.count("f") >= window - window // 2
