"""Decides which lane sends next, subscriber first, then lane. It never sends, waits or looks at a clock."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from deliveries.deciders.pacing import share

Job = TypeVar("Job")


@dataclass(slots=True, eq=False)
class _Subscriber:
    id: Hashable
    served: int = 0  # the number of the turn in which one of its lanes last sent; 0: never
    lanes: int = 0


@dataclass(slots=True, eq=False)
class _Lane(Generic[Job]):
    id: Hashable
    subscriber: _Subscriber
    window: int
    buffer: deque[Job] = field(default_factory=deque)
    in_flight: int = 0
    served: int = 0
    is_dropped: bool = False
    rotation: "_Rotation[Job] | None" = None


class _Rotation(Generic[Job]):
    """Lanes waiting for a turn, the longest unserved subscriber and its longest unserved lane at the head."""

    def __init__(self) -> None:
        self._ring: OrderedDict[_Subscriber, OrderedDict[_Lane[Job], None]] = OrderedDict()

    def head(self) -> _Lane[Job] | None:
        for lanes in self._ring.values():
            return next(iter(lanes))
        return None

    def put(self, lane: _Lane[Job]) -> None:
        subscriber = lane.subscriber
        lanes = self._ring.get(subscriber)
        if lanes is None:
            first = next(iter(self._ring), None)
            lanes = self._ring[subscriber] = OrderedDict()
            # Who sat out a whole round has waited longest. Anyone else joins at the end: a place in the
            # middle would need a search, and costs its owner one round at most.
            if first is not None and subscriber.served < first.served:
                self._ring.move_to_end(subscriber, last=False)
        first_lane = next(iter(lanes), None)
        lanes[lane] = None
        if first_lane is not None and lane.served < first_lane.served:
            lanes.move_to_end(lane, last=False)
        lane.rotation = self

    def remove(self, lane: _Lane[Job]) -> None:
        lanes = self._ring[lane.subscriber]
        del lanes[lane]
        if not lanes:
            del self._ring[lane.subscriber]
        lane.rotation = None

    def send_to_end(self, subscriber: _Subscriber) -> None:
        if subscriber in self._ring:
            self._ring.move_to_end(subscriber)


class Turns(Generic[Job]):
    """Buffers of all held lanes, and whose turn it is.

    A lane below its share of `cap` waits in one rotation; one at its share but below its window waits in
    the other, which is served only while at least half of `cap` is free. A lane at its window waits in
    none, so a thousand of them cost nothing.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._in_flight = 0
        self._turn = 0
        self._held = 0
        self._waiting = 0
        self._share = cap
        self._lanes: dict[Hashable, _Lane[Job]] = {}
        self._subscribers: dict[Hashable, _Subscriber] = {}
        self._owed: _Rotation[Job] = _Rotation()
        self._borrowing: _Rotation[Job] = _Rotation()

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def waiting(self) -> int:
        """Jobs that were offered and not yet taken."""
        return self._waiting

    @property
    def share(self) -> int:
        return self._share

    def set_cap(self, cap: int) -> None:
        self._cap = cap
        self._hold(0)

    def clear(self, lane_id: Hashable) -> list[Job]:
        """Returns what the lane has not started; the lane and its requests in flight stay as they are."""
        lane = self._held_lane(lane_id)
        unsent = list(lane.buffer)
        lane.buffer.clear()
        self._waiting -= len(unsent)
        self._place(lane)
        return unsent

    def add(self, lane_id: Hashable, subscriber: Hashable, window: int) -> None:
        """Holds a lane. One that was dropped with requests in flight keeps counting them."""
        lane = self._lanes.get(lane_id)
        if lane is None:
            owner = self._subscribers.setdefault(subscriber, _Subscriber(subscriber))
            owner.lanes += 1
            lane = self._lanes[lane_id] = _Lane(lane_id, owner, window)
        elif not lane.is_dropped:
            raise ValueError(f"lane {lane_id} is held already")
        lane.is_dropped = False
        lane.window = window
        self._hold(1)

    def drop(self, lane_id: Hashable) -> list[Job]:
        """Lets a lane go and returns what it had not started. Requests in flight still finish."""
        lane = self._held_lane(lane_id)
        lane.is_dropped = True
        unsent = list(lane.buffer)
        lane.buffer.clear()
        self._waiting -= len(unsent)
        self._place(lane)
        self._forget_if_done(lane)
        self._hold(-1)
        return unsent

    def set_window(self, lane_id: Hashable, window: int) -> None:
        """A window of 0 stops a lane without losing its place."""
        lane = self._held_lane(lane_id)
        lane.window = window
        self._place(lane, keeps_place=True)

    def offer(self, lane_id: Hashable, job: Job) -> None:
        lane = self._held_lane(lane_id)
        lane.buffer.append(job)
        self._waiting += 1
        if len(lane.buffer) == 1:
            self._place(lane)

    def take(self) -> Job | None:
        """The next job to send, counted as started; None when no lane may send now."""
        lane = self._next()
        if lane is None:
            return None
        self._in_flight += 1
        lane.in_flight += 1
        self._turn += 1
        lane.served = lane.subscriber.served = self._turn
        job = lane.buffer.popleft()
        self._waiting -= 1
        self._place(lane)
        self._owed.send_to_end(lane.subscriber)
        self._borrowing.send_to_end(lane.subscriber)
        return job

    def finished(self, lane_id: Hashable) -> None:
        """Frees a slot: the request was settled, not merely answered."""
        lane = self._lanes[lane_id]
        if not lane.in_flight:
            raise ValueError(f"lane {lane_id} has nothing in flight")
        lane.in_flight -= 1
        self._in_flight -= 1
        if not self._forget_if_done(lane) and lane.buffer:
            self._place(lane, keeps_place=True)

    def room(self, lane_id: Hashable) -> int:
        """How many more jobs the lane's window has a slot for."""
        lane = self._held_lane(lane_id)
        return max(0, lane.window - lane.in_flight - len(lane.buffer))

    def _next(self) -> _Lane[Job] | None:
        free = self._cap - self._in_flight
        if free <= 0:
            return None
        lane = self._owed.head()
        if lane is None and 2 * free >= self._cap:
            lane = self._borrowing.head()
        return lane

    def _place(self, lane: _Lane[Job], *, keeps_place: bool = False) -> None:
        """Moves a lane to where it belongs now, to the end unless it may keep its place there."""
        rotation = self._rotation_for(lane)
        if keeps_place and rotation is lane.rotation:
            return
        if lane.rotation is not None:
            lane.rotation.remove(lane)
        if rotation is not None:
            rotation.put(lane)

    def _rotation_for(self, lane: _Lane[Job]) -> "_Rotation[Job] | None":
        if not lane.buffer or lane.in_flight >= lane.window:
            return None
        return self._owed if lane.in_flight < self._share else self._borrowing

    def _hold(self, change: int) -> None:
        """Shares change with the number of lanes held, which claims change, not turns; so this may sweep."""
        self._held += change
        new_share = share(cap=self._cap, active_lanes=self._held)
        if new_share == self._share:
            return
        self._share = new_share
        for lane in self._lanes.values():
            self._place(lane, keeps_place=True)

    def _held_lane(self, lane_id: Hashable) -> _Lane[Job]:
        lane = self._lanes[lane_id]
        if lane.is_dropped:
            raise KeyError(lane_id)
        return lane

    def _forget_if_done(self, lane: _Lane[Job]) -> bool:
        if not lane.is_dropped or lane.in_flight:
            return False
        del self._lanes[lane.id]
        lane.subscriber.lanes -= 1
        if not lane.subscriber.lanes:
            del self._subscribers[lane.subscriber.id]
        return True
