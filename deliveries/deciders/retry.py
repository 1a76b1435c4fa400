"""Decides when a delivery is tried again, and when no more. It never reads a clock or rolls a die."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
YEAR_S = 366 * DAY_S
MAX_RETRY_AFTER_S = DAY_S  # an endpoint may ask for quiet, but not until everyone has forgotten
UNITS = ((HOUR_S, "h"), (60.0, "min"), (1.0, "s"))
MAX_LISTED = 100
MAX_ATTEMPTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How often and how far apart. An explicit list of delays wins over the growing delay.

    A list that begins with 0 names the first attempt too, as Standard Webhooks writes its schedule; so
    `(0, 5, 300)` and `(5, 300)` are the same three attempts.
    """

    first_s: float = 1.0
    factor: float = 4.0
    cap_s: float = 12 * HOUR_S
    max_attempts: int = 12
    delays_s: tuple[float, ...] | None = None
    jitter: float = 0.1
    max_age_s: float | None = None

    @property
    def attempts(self) -> int:
        return self.max_attempts if self.delays_s is None else len(_between(self.delays_s)) + 1


STANDARD_WEBHOOKS = Schedule(
    delays_s=(0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400),
)
PRESETS = {"default": Schedule(), "standard-webhooks": STANDARD_WEBHOOKS}


def delay_after(schedule: Schedule, attempt: int, draw: float) -> float | None:
    """Seconds to wait after the nth attempt, or None when it was the last. `draw` is in [0, 1).

    Jitter only ever adds, so a try is never earlier than the schedule promises.
    """
    if attempt >= schedule.attempts:
        return None
    return _base_delay(schedule, attempt) * (1 + schedule.jitter * draw)


def next_due(
    *,
    schedule: Schedule,
    attempt: int,
    now: datetime,
    first_due: datetime,
    retry_after_s: float | None,
    draw: float,
) -> datetime | None:
    """When to try again, never before the backoff nor before what the endpoint asked for; None: never."""
    delay = delay_after(schedule, attempt, draw)
    if delay is None:
        return None
    if retry_after_s is not None:
        # Jittered too, or a whole queue would wake in the second it was told.
        delay = max(delay, min(retry_after_s * (1 + schedule.jitter * draw), MAX_RETRY_AFTER_S))
    due = now + timedelta(seconds=delay)
    if schedule.max_age_s is not None and due > first_due + timedelta(seconds=schedule.max_age_s):
        return None
    return due


def span_s(schedule: Schedule) -> float:
    """From the first attempt to the last as promised, without jitter, were every attempt to fail at once."""
    total = sum(_base_delay(schedule, attempt) for attempt in range(1, schedule.attempts))
    return total if schedule.max_age_s is None else min(total, schedule.max_age_s)


def worst_case_s(schedule: Schedule) -> float:
    """The same with the most that jitter can add: no delivery is retried for longer, save by Retry-After."""
    total = sum(_base_delay(schedule, attempt) for attempt in range(1, schedule.attempts))
    total *= 1 + schedule.jitter
    return total if schedule.max_age_s is None else min(total, schedule.max_age_s)


def describe(schedule: Schedule) -> str:
    if schedule.attempts == 1:
        return "1 attempt, no retry"
    words = f"{schedule.attempts} attempts over {_duration(span_s(schedule))}"
    worst = _duration(worst_case_s(schedule))
    if worst != _duration(span_s(schedule)):
        words += f", at most {worst} with jitter"
    if schedule.max_age_s is not None:
        words += f", none later than {_duration(schedule.max_age_s)} after the first was due"
    return words


def waits(schedule: Schedule, most: int) -> list[str]:
    """What lies before each attempt but the first, in words and without jitter; the first so many."""
    numbers = range(1, min(schedule.attempts, most + 1))
    return [_duration(_base_delay(schedule, number)) for number in numbers]


def check(schedule: Schedule) -> None:
    """Raises ValueError with one sentence on a schedule no one can have meant."""
    if schedule.delays_s is None:
        _check_growth(schedule)
    else:
        _check_list(schedule.delays_s)
    if not 0 <= schedule.jitter <= 1:  # NaN fails both comparisons
        raise ValueError("The jitter must be a share between 0 and 1.")
    if schedule.max_age_s is not None and not 0 < schedule.max_age_s <= YEAR_S:
        raise ValueError("The longest age must be more than 0 seconds and at most a year.")
    if worst_case_s(schedule) > YEAR_S:
        raise ValueError("The schedule lasts longer than a year.")


def _check_growth(schedule: Schedule) -> None:
    if not 0 < schedule.first_s <= YEAR_S:
        raise ValueError("The first delay must be more than 0 seconds and at most a year.")
    if not 1 <= schedule.factor <= 1_000:
        raise ValueError("The growth of the delay must be between 1 and 1000.")
    if not schedule.first_s <= schedule.cap_s <= YEAR_S:
        raise ValueError("The longest delay must be at least the first delay and at most a year.")
    if not 1 <= schedule.max_attempts <= MAX_ATTEMPTS:
        raise ValueError(f"The number of attempts must be between 1 and {MAX_ATTEMPTS}.")


def _check_list(delays_s: tuple[float, ...]) -> None:
    if not 1 <= len(delays_s) <= MAX_LISTED:
        raise ValueError(f"The list of delays must have between 1 and {MAX_LISTED} entries.")
    # The list may come straight from a JSON column, so its entries may be anything.
    if not all(_is_number(delay) and 0 <= delay <= YEAR_S for delay in delays_s):
        raise ValueError("Each delay must be a number of seconds from 0 to a year.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _between(delays_s: tuple[float, ...]) -> tuple[float, ...]:
    return delays_s[1:] if delays_s and delays_s[0] == 0 else delays_s


def _base_delay(schedule: Schedule, attempt: int) -> float:
    if schedule.delays_s is not None:
        return _between(schedule.delays_s)[attempt - 1]
    # By logarithm first: 4.0 ** 10_000 is not a float.
    steps = attempt - 1
    if steps * math.log(schedule.factor) >= math.log(schedule.cap_s / schedule.first_s):
        return schedule.cap_s
    return min(schedule.first_s * schedule.factor**steps, schedule.cap_s)


def _duration(seconds: float) -> str:
    """The two largest units that say something: 42 h 4 min."""
    rest = round(seconds, 1) if seconds < 10 else round(seconds)
    parts: list[str] = []
    for size, name in UNITS:
        whole, rest = divmod(rest, size) if size > 1 else (rest, 0)
        if whole:
            parts.append(f"{whole:g} {name}")
    return " ".join(parts[:2]) or "0 s"


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
# The three shapes RFC 9110 section 5.6.7 allows: today's, RFC 850's and asctime's.
HTTP_DATES = tuple(
    re.compile(shape, re.ASCII | re.IGNORECASE)
    for shape in (
        rf"[a-z]{{3}}, (?P<day>\d\d) (?P<month>[a-z]{{3}}) (?P<year>\d{{4}}) {CLOCK} GMT",
        rf"[a-z]{{6,9}}, (?P<day>\d\d)-(?P<month>[a-z]{{3}})-(?P<year>\d\d) {CLOCK} GMT",
        rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ \d]\d) {CLOCK} (?P<year>\d{{4}})",
    )
)


def retry_after_s(header: str, now: datetime) -> float | None:
    """Seconds from now that a Retry-After header asks for, from 0 to 24 hours; None when it is not one."""
    text = header.strip(" \t")
    if re.fullmatch(r"[0-9]+", text):
        # Nine digits are 31 years already; more would only let int() refuse.
        return min(float(text[:9]), MAX_RETRY_AFTER_S) if len(text) <= 9 else MAX_RETRY_AFTER_S
    moment = _http_date(text, now)
    return None if moment is None else min(max((moment - now).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def _http_date(text: str, now: datetime) -> datetime | None:
    for shape in HTTP_DATES:
        found = shape.fullmatch(text)
        if found is None:
            continue
        parts = found.groupdict()
        try:
            return datetime(
                _full_year(parts["year"], now),
                MONTHS.index(parts["month"].lower()) + 1,
                int(parts["day"]),
                int(parts["hour"]),
                int(parts["minute"]),
                min(int(parts["second"]), 59),  # a leap second is legal in HTTP and not in datetime
                tzinfo=UTC,
            )
        except ValueError:
            return None
    return None


def _full_year(digits: str, now: datetime) -> int:
    """A two-digit year more than 50 years ahead lies in the past (RFC 9110, section 5.6.7)."""
    if len(digits) == 4:
        return int(digits)
    year = now.year // 100 * 100 + int(digits)
    return year - 100 if year > now.year + 50 else year
