"""How the overview says numbers: grouped, as a change, as a share, as a time. It is pure."""

from deliveries.deciders.delivery_signs import duration
from deliveries.selectors.rollups import Figures


def finished(figures: Figures) -> int:
    return figures.delivered + figures.dead


def change(by: int, *, good: str) -> dict[str, str]:
    """More of it is good, or less of it; as much as before is neither."""
    if not by:
        return {"change": "±0", "tone": ""}
    is_good = (by > 0) == (good == "up")
    tone = "good" if is_good else "bad"
    return {
        "change": f"{'+' if by > 0 else '−'}{grouped(abs(by))}",
        "tone": "" if by < 0 and good == "up" else tone,
    }


def points(rate: float | None, was: float | None) -> dict[str, str]:
    if rate is None or was is None:
        return {"change": "", "tone": ""}
    by = round(100 * (rate - was), 1)
    if not by:
        return {"change": "±0 pt", "tone": ""}
    return {"change": f"{'+' if by > 0 else '−'}{abs(by):.1f} pt", "tone": "good" if by > 0 else "bad"}


def percent(rate: float | None) -> str:
    """Never rounded up to 100: one that is lost is not nothing."""
    if rate is None:
        return "–"
    return "100" if rate == 1 else f"{min(99.99, 100 * rate):.2f}"


def told_ms(value: float | None) -> str:
    return duration(None if value is None else round(value))


def grouped(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")
