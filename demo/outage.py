"""Tells how Weir contains one outage of C: what its circuit does, how C is fed afterwards, what B felt of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from demo import moods
from demo.api import Api
from demo.voice import say
from demo.wiring import Wiring

PAGE = 250


class OutageOfC:
    """`tell` is a scene that begins when C falls; whoever plays it says when C is back."""

    def __init__(self, *, api: Api, console: str, wiring: Wiring, began_at: datetime) -> None:
        self._api = api
        self._console = console
        self._wiring = wiring
        self._began_at = began_at
        self._ended_at: datetime | None = None

    def end(self, at: datetime) -> None:
        """C is back."""
        self._ended_at = at

    def tell(self) -> Iterator[None]:
        say(f"C is down for {moods.OUTAGE_S} s and refuses every connection. Its lane: {self._lane_page()}")
        yield from self._until_it_opens()
        yield from self._until_c_is_back()
        say(f"C is back, and takes {moods.SLOW_S:g} s for each answer until it is warm.")
        self._tell_what_b_felt()
        yield from self._until_it_closes()
        yield from self._until_nothing_waits()

    def _until_it_opens(self) -> Iterator[None]:
        while self._lane()["circuit"] == "closed":
            if self._ended_at:
                return
            yield
        say("C's circuit opened: what is due for C is parked, costs nothing and spends no attempt.")

    def _until_c_is_back(self) -> Iterator[None]:
        first = self._lane()["cooldown_until"]
        has_said = False
        while not self._ended_at:
            if not has_said and self._lane()["cooldown_until"] not in (first, None):
                has_said = True
                say("One delivery went out to probe C and was refused. The next probe goes out later still.")
            yield

    def _tell_what_b_felt(self) -> None:
        heard = self._deliveries(self._wiring.to_billing, state="delivered")
        took = [_ms_between(each["created_at"], each["settled_at"]) for each in heard]
        if took:
            say(
                f"Meanwhile B heard of {len(took)} orders, each within {max(took):.0f} ms of Weir's storing it."
            )
        say(f"Deliveries that wait for C: {len(self._waiting())}.")

    def _until_it_closes(self) -> Iterator[None]:
        windows: list[int] = []
        while (lane := self._lane())["circuit"] != "closed":
            if lane["circuit"] == "recovering":
                if not windows:
                    say("A probe arrived: C gets one request at a time, and one more with each success.")
                windows = windows if windows[-1:] == [lane["window"]] else [*windows, lane["window"]]
            yield
        if windows:
            steps = ", ".join(str(window) for window in windows)
            say(
                f"C's circuit closed again. Seen each second, C had at most so many requests at once: {steps}."
            )

    def _until_nothing_waits(self) -> Iterator[None]:
        while self._waiting():
            yield
        say("C has caught up. Of what waited nothing is left.")

    def _waiting(self) -> list[Any]:
        return self._deliveries(self._wiring.to_shipping, state="pending")

    def _deliveries(self, subscription: str, *, state: str) -> list[Any]:
        """Those that were made during the outage and are in this state now."""
        found = self._api.get("deliveries", subscription=subscription, state=state, limit=PAGE)["results"]
        end = self._ended_at or datetime.now(UTC)
        return [each for each in found if self._began_at <= datetime.fromisoformat(each["created_at"]) <= end]

    def _lane(self) -> Any:
        return self._api.get(f"subscriptions/{self._wiring.to_shipping}")["lane"]

    def _lane_page(self) -> str:
        number = UUID(self._wiring.to_shipping.removeprefix("sub_"))
        return f"{self._console}deliveries/subscription/{number}/change/"


def _ms_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds() * 1000
