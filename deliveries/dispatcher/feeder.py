"""Feeds running replays into the lanes in hand, a little in every turn. It decides nothing and writes nothing itself.

A hub without a running replay pays nothing for it: a lane's orders say whether there is any.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from deliveries.deciders.replaying import allowance

from . import admission, claims, waves
from .book import Book
from .page import LanePage
from .seats import Holding
from .waiting_items import Share


@dataclass(slots=True)
class Feeder:
    holding: Holding
    book: Book

    def feed(self, now: datetime) -> None:
        """Lets in what there is room and time for."""
        hungry = self.book.to_feed(now.timestamp(), time.monotonic())
        if not hungry:
            return
        for page in hungry:
            page.fed_at = now.timestamp()
        lanes = [page.subscription_id for page in hungry]
        pages = {
            lane: self.book.lanes[lane] for lane in claims.moving(holding=self.holding, lanes=lanes, now=now)
        }
        stands = admission.standing(list(pages))
        for lane, page in pages.items():
            page.keep_runs({stand.replay_id for stand in stands if stand.lane_id == lane})
        if shares := _shares(stands, pages):
            self._take(admission.admit(holding=self.holding, shares=shares, now=now), now.timestamp())

    def _take(self, admitted: admission.Admitted, at: float) -> None:
        for (replay, lane), count in admitted.counts.items():
            self.book.lanes[lane].let_in(replay, count)
        for replay, lane in admitted.done:
            self.book.lanes[lane].runs.pop(replay, None)
        for replay, lane in admitted.later:
            self.book.lanes[lane].rest_run(replay, at + waves.REST_S)
        for page in self.book.lanes.values():
            for replay in admitted.gone & page.runs.keys():
                del page.runs[replay]


def _shares(stands: Sequence[admission.Standing], pages: Mapping[UUID, LanePage]) -> list[Share]:
    """The older replay first; together they keep to half of the lane's window."""
    under_way: Counter[UUID] = Counter()
    for stand in stands:
        under_way[stand.lane_id] += stand.under_way
    shares = []
    for stand in stands:
        page = pages[stand.lane_id]
        most = allowance(
            window=page.window,
            under_way=under_way[stand.lane_id],
            own_under_way=stand.under_way,
            tokens=page.run_tokens(stand.replay_id),
            is_proved=stand.is_proved,
        )
        if most:
            under_way[stand.lane_id] += most
            shares.append(Share(stand.replay_id, stand.lane_id, most, stand.read_to, stand.wave))
    return shares
