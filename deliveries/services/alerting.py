"""Looks at every rule once: opens alerts, has people told of them, closes them. It sends nothing, and measures nothing.

All that a look decides is written in one transaction, together with the messages to channels, so that a look which is
cut short changes nothing. Two looks at once decide alike: the constraint on open alerts lets one of them open, and rows
are changed only as they were seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from deliveries.deciders import alert_words
from deliveries.deciders.alert_words import Said
from deliveries.deciders.alerting import Decision, Measurement, Step, Stood, Threshold, decide
from deliveries.deciders.measures import MEASURES, Bad
from deliveries.models import Alert, AlertRule, Breach, MessageKind, Mute
from deliveries.selectors.alert_figures import Figured

from . import alert_messages
from .alert_messages import News

Key = tuple[str, str]  # a rule's slug and a scope
SO_NO_LONGER = Measurement(value=0)  # of a state, what is left out is not so
BATCH = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """How many alerts it opened, had told again and closed, and how many messages wait for that."""

    opened: int = 0
    told: int = 0
    closed: int = 0
    messages: int = 0


@dataclass(kw_only=True, slots=True)
class _Changes:
    """What a look is about to write."""

    open: list[tuple[Alert, News]] = field(default_factory=list)
    tell: list[tuple[Alert, News]] = field(default_factory=list)
    close: list[tuple[Alert, News]] = field(default_factory=list)
    begun: list[Breach] = field(default_factory=list)
    ended: list[Breach] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.open or self.tell or self.close or self.begun or self.ended)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Standing:
    """What there is before the look. Statements: one each, however many rules."""

    open: Mapping[Key, Alert]
    breaches: Mapping[Key, Breach]
    mutes: frozenset[tuple[str, str | None]]  # a scope of None: every one

    @classmethod
    def read(cls, now: datetime) -> "_Standing":
        mutes = Mute.objects.filter(until__gt=now)
        return cls(
            open={(each.rule, each.scope): each for each in Alert.objects.filter(closed_at=None)},
            breaches={(each.rule, each.scope): each for each in Breach.objects.all()},
            mutes=frozenset((each.rule, None if each.is_of_every_scope else each.scope) for each in mutes),
        )

    def of(self, key: Key) -> Stood:
        alert, breach = self.open.get(key), self.breaches.get(key)
        return Stood(
            breached_since=breach.since if breach else None,
            is_open=alert is not None,
            told_at=alert.told_at if alert else None,
            is_acknowledged=alert is not None and alert.acknowledged_at is not None,
            is_muted=key in self.mutes or (key[0], None) in self.mutes,
        )

    def scopes_of(self, rule: str) -> list[str]:
        return [scope for slug, scope in (*self.open, *self.breaches) if slug == rule]


def look(*, now: datetime) -> Looked:
    """One look at all enabled rules. What a rule that is gone or disabled left open, is closed."""
    known = list(AlertRule.objects.select_related("subscriber").order_by("slug"))
    # What an older version of Weir does not know how to measure, it leaves alone.
    rules = [rule for rule in known if rule.is_enabled and rule.measure in MEASURES]
    standing, figured, changes = _Standing.read(now), Figured(rules, now), _Changes()
    seen: set[Key] = set()
    for rule in rules:
        measured, is_state = figured.of(rule), MEASURES[rule.measure].bad is Bad.SO
        absent = SO_NO_LONGER if is_state else Measurement()
        for scope in dict.fromkeys((*measured, *standing.scopes_of(rule.slug))):
            key = (rule.slug, scope)
            seen.add(key)
            of = measured.get(scope, absent)
            decision = decide(threshold=threshold_of(rule), measured=of, stood=standing.of(key), now=now)
            _note(changes, standing, key, _Case(figured, rule, scope, of, decision, now))
    _leave(changes, standing, seen, {rule.slug: rule.name for rule in known})
    return _write(changes, now) if changes else Looked()


def threshold_of(rule: AlertRule) -> Threshold:
    return Threshold(
        bad=MEASURES[rule.measure].bad,
        value=rule.threshold,
        clear=rule.clear_threshold,
        least_volume=rule.least_volume,
        hold_s=rule.hold_s,
        remind_s=rule.remind_s,
    )


def said(rule: AlertRule, of: str) -> Said:
    """A rule as its words take it; `of` names what it is measured over, nothing the whole hub."""
    return Said(
        measure=rule.measure,
        detail=rule.detail,
        of=of or alert_words.HUB,
        threshold=rule.threshold,
        clear=rule.clear_threshold,
        window_s=rule.window_s,
        least_volume=rule.least_volume,
        hold_s=rule.hold_s,
    )


@dataclass(frozen=True, slots=True)
class _Case:
    figured: Figured
    rule: AlertRule
    scope: str
    measured: Measurement
    decision: Decision
    now: datetime

    @property
    def name(self) -> str:
        return self.figured.name(self.rule, self.scope)

    def news(self, text: str) -> News:
        return News(rule=self.rule.name, name=self.name, text=text, tells=self.decision.tells)

    def opening(self, since: datetime | None) -> str:
        lasted_s = (self.now - (since or self.now)).total_seconds()
        value, volume = self.measured.value, self.measured.volume
        words = said(self.rule, self.name)
        return alert_words.opening(words, value=value or 0.0, volume=volume, lasted_s=lasted_s)

    def closing(self, opened_at: datetime) -> str:
        lasted_s = (self.now - opened_at).total_seconds()
        return alert_words.closing(said(self.rule, self.name), value=self.measured.value, lasted_s=lasted_s)


def _note(changes: _Changes, standing: _Standing, key: Key, case: _Case) -> None:
    """Puts down what a decision asks for."""
    decision, (slug, scope) = case.decision, key
    breach, alert = standing.breaches.get(key), standing.open.get(key)
    if decision.step is Step.WAIT and breach is None:
        changes.begun.append(Breach(rule=slug, scope=scope, since=decision.since or case.now))
    elif decision.step is Step.OPEN:
        text = case.opening(decision.since)
        made = Alert(
            rule=slug, scope=scope, severity=case.rule.severity, summary=text[:500], opened_at=case.now
        )
        made.told_at = case.now if decision.tells else None
        changes.open.append((made, case.news(text)))
    elif decision.step is Step.TELL and alert:
        has_data = case.measured.value is not None
        since = alert.opened_at if case.measured.since is None else case.measured.since
        changes.tell.append((alert, case.news(case.opening(since) if has_data else alert.summary)))
    elif decision.step is Step.CLOSE and alert:
        changes.close.append((alert, case.news(case.closing(alert.opened_at))))
    if breach and decision.step in (Step.FORGET, Step.OPEN, Step.KEEP, Step.TELL, Step.CLOSE):
        changes.ended.append(breach)


def _leave(changes: _Changes, standing: _Standing, seen: set[Key], names: Mapping[str, str]) -> None:
    """What no enabled rule speaks of any more."""
    for key, alert in standing.open.items():
        if key not in seen:
            name = names.get(alert.rule, alert.rule)
            text = f"Over: the rule “{name}” is disabled."
            changes.close.append((alert, News(rule=name, name="", text=text, tells=bool(alert.told_at))))
    changes.ended += [breach for key, breach in standing.breaches.items() if key not in seen]


def _write(changes: _Changes, now: datetime) -> Looked:
    with transaction.atomic():
        locked = _as_seen([alert for alert, _ in (*changes.tell, *changes.close)])
        opened = _open(changes.open)
        told = [(alert, news) for alert, news in changes.tell if alert.pk in locked]
        closed = [(alert, news) for alert, news in changes.close if alert.pk in locked]
        for alert, _ in told:
            alert.told_at = now
        for alert, news in closed:
            alert.closed_at, alert.ending = now, news.text[:500]
        changed = [alert for alert, _ in (*told, *closed)]
        if changed:
            Alert.objects.bulk_update(changed, ["told_at", "closed_at", "ending"], batch_size=BATCH)
        if changes.begun:
            Breach.objects.bulk_create(changes.begun, ignore_conflicts=True, batch_size=BATCH)
        if changes.ended:
            Breach.objects.filter(pk__in=[each.pk for each in changes.ended]).delete()
        messages = alert_messages.write(
            {MessageKind.OPENED: opened, MessageKind.REMINDED: told, MessageKind.CLOSED: closed}, now=now
        )
    return Looked(opened=len(opened), told=len(told), closed=len(closed), messages=messages)


def _as_seen(alerts: Iterable[Alert]) -> set[object]:
    """Locks these, and says which are open still and as they were read: another look may have been here."""
    seen = {alert.pk: (alert.told_at, alert.acknowledged_at) for alert in alerts}
    if not seen:
        return set()
    rows = Alert.objects.select_for_update().filter(pk__in=list(seen), closed_at=None).order_by("pk")
    return {row.pk for row in rows if (row.told_at, row.acknowledged_at) == seen[row.pk]}


def _open(wanted: list[tuple[Alert, News]]) -> list[tuple[Alert, News]]:
    """Of those that another look has opened meanwhile, none. In the order of the constraint, so that two looks at
    once never wait for each other in a circle."""
    if not wanted:
        return []
    ordered = sorted(wanted, key=lambda each: (each[0].rule, each[0].scope))
    Alert.objects.bulk_create([alert for alert, _ in ordered], ignore_conflicts=True, batch_size=BATCH)
    ours = set(Alert.objects.filter(pk__in=[alert.pk for alert, _ in ordered]).values_list("pk", flat=True))
    return [(alert, news) for alert, news in ordered if alert.pk in ours]
