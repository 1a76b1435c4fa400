"""Names what is rehearsed: who owes how much to how many endpoints, and when those are down. It runs nothing."""

from dataclasses import dataclass, field, replace

from .endpoint import Outage, Strength

MAX_DELIVERIES = 10_000_000
MAX_ENDPOINTS = 100_000
MAX_OUTAGE_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Deliveries fall due evenly, by default until the last outage ends; what is owed then must drain."""

    name: str
    deliveries: int
    endpoints: int = 1
    healthy_s: float = 600.0  # before the first outage, and between two
    outage_s: float = 3_600.0
    outages: int = 1
    down_share: float = 1.0  # of the endpoints that have outages; the others are well throughout
    all_due_at_start: bool = False
    after_s: float = 2 * 3_600.0  # how long after the last outage the rehearsal goes on at most
    strength: Strength = field(default_factory=Strength)

    @property
    def down(self) -> tuple[Outage, ...]:
        period = self.healthy_s + self.outage_s
        return tuple((n * period + self.healthy_s, (n + 1) * period) for n in range(self.outages))

    @property
    def recovered_at(self) -> float:
        return self.outages * (self.healthy_s + self.outage_s)

    @property
    def arriving_s(self) -> float:
        return 0.0 if self.all_due_at_start else self.recovered_at

    @property
    def endpoints_down(self) -> int:
        return round(self.endpoints * self.down_share)

    def owed_to(self, endpoint: int) -> int:
        """Deliveries are dealt out in turn, so that no endpoint is owed two more than another."""
        return self.deliveries // self.endpoints + (endpoint < self.deliveries % self.endpoints)


PRESETS = {
    "outage": Scenario(name="outage", deliveries=100_000),
    "flap": Scenario(name="flap", deliveries=40_000, healthy_s=120, outage_s=120, outages=5, after_s=1_800),
    "crowd": Scenario(
        name="crowd",
        deliveries=1_000_000,
        endpoints=10_000,
        healthy_s=300,
        outage_s=600,
        down_share=0.3,
        strength=Strength(capacity_per_s=10, breaking_point=40, fault="hang"),
    ),
}


def altered(
    scenario: Scenario,
    *,
    deliveries: int | None = None,
    endpoints: int | None = None,
    outage_s: float | None = None,
    timeout_s: float | None = None,
) -> Scenario:
    """The same, save for what is named. Raises ValueError with one sentence on what cannot be rehearsed."""
    strength = scenario.strength
    scenario = replace(
        scenario,
        deliveries=scenario.deliveries if deliveries is None else deliveries,
        endpoints=scenario.endpoints if endpoints is None else endpoints,
        outage_s=scenario.outage_s if outage_s is None else outage_s,
        strength=strength if timeout_s is None else replace(strength, timeout_s=timeout_s),
    )
    if not 1 <= scenario.deliveries <= MAX_DELIVERIES:
        raise ValueError(f"The number of deliveries must be between 1 and {MAX_DELIVERIES:,}.")
    if not 1 <= scenario.endpoints <= MAX_ENDPOINTS:
        raise ValueError(f"The number of endpoints must be between 1 and {MAX_ENDPOINTS:,}.")
    if scenario.endpoints > scenario.deliveries:
        raise ValueError("There must be at least as many deliveries as endpoints.")
    if not 1 <= scenario.outage_s <= MAX_OUTAGE_S:  # NaN fails both comparisons
        raise ValueError(f"An outage must last between 1 and {MAX_OUTAGE_S:,.0f} seconds.")
    return scenario
