"""The town where the simulated people live: letters arrive, and what comes of each happens when its time has come.

It knows our installation only from outside: the mailbox it reads, the web app it knocks at, and the files that a shop
and a site would send.
"""

import csv
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from models.event import Kind
from nurture.simulation import recipients, salespeople
from nurture.simulation.inbox import Letter, SimulatedInbox
from nurture.simulation.provider import Provider
from nurture.simulation.recipients import Deed, Reaction, SimulatedPerson
from nurture.simulation.salespeople import SimulatedAnswer, SimulatedOffer

EVENTS = "/events/sendgrid"
FILES = {  # what the site, the shop and sales export, in the columns of examples/data: kind → header, separator
    "activities": (("contact", "market", "what", "when", "detail"), ","),
    "orders": (("order_no", "customer_id", "ordered", "total", "currency", "product", "voucher"), ","),
    "opportunities": (("Deal", "Account no", "Contact no", "Subject", "Status", "Value", "Currency", "Opened",
                       "Closed", "Lost because", "Deal stage", "Solution", "Tender due", "Decision", "Criteria"), ";"),
}  # fmt: skip


class NotWelcome(Exception):
    """The web app answered as no reader should ever see. The text says which door and what it said: a bug of ours."""


@dataclass
class Town:
    """`door`: an HTTP client whose base is the web app. `people` by address and market: somebody may wear two hats.

    `turn_clock` is told the moment before somebody knocks, so that the web app writes down when it was.
    """

    seed: int
    people: Mapping[tuple[str, str], SimulatedPerson]
    mailbox: SimulatedInbox
    provider: Provider
    door: httpx.Client
    turn_clock: Callable[[datetime], None]
    replies: list[dict[str, Any]] = field(default_factory=list)  # events of kind REPLIED, for the inbound door
    _tally: Counter[str] = field(default_factory=Counter)
    _due: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _rows: dict[str, list[Sequence[Any]]] = field(default_factory=lambda: {kind: [] for kind in FILES})
    _seen: set[tuple[str, int]] = field(default_factory=set)  # opened and clicked letters: counted once
    _moment: datetime | None = None  # of what is happening
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def live_until(self, now: datetime) -> None:
        """Fetch the mail, then do everything whose time has come, and let the provider tell what it saw."""
        for letter in self.mailbox.new():
            self._receive(letter)
        while self._due and self._due[0][0] <= now:
            moment, _, act = heapq.heappop(self._due)
            self._moment = moment
            act()
        self.turn_clock(now)
        for headers, body in self.provider.posts(now):
            self._expect(self.door.post(EVENTS, content=body, headers=dict(headers)), 204)

    def wake_up(self, day: date) -> None:
        """Plan what people do that day with or without a letter: shoppers buy, engineers look for pumps."""
        for who in self.people.values():
            bought = recipients.shops(self.seed, who, day)
            if bought:
                self._plan(bought.at, self._buy, who, bought)
            for did in recipients.browses(self.seed, who, day):
                self._plan(did.at, self._visit, who, did)

    def files(self, folder: Path, name: str) -> list[tuple[str, Path]]:
        """The shop's and the site's files since the last time: (kind, file), nothing for a kind without rows."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for kind, rows in self._rows.items():
            if rows:
                file = folder / f"{kind}-{name}.csv"
                header, separator = FILES[kind]
                with file.open("w", newline="", encoding="utf-8") as out:
                    csv.writer(out, delimiter=separator).writerows([header, *rows])
                written.append((kind, file))
                rows.clear()
        return written

    def happened(self) -> Counter[str]:
        """What people did since the last time somebody asked, in counts."""
        taken, self._tally = self._tally, Counter()
        return taken

    # --- what comes of a letter ----------------------------------------------------------------------------------

    def _plan(self, at: datetime, act: Callable[..., None], *about: Any) -> None:
        due: tuple[datetime, int, Callable[[], None]] = (at, next(self._numbers), partial(act, *about))
        heapq.heappush(self._due, due)

    def _receive(self, letter: Letter) -> None:
        self._tally["letters"] += 1
        about, who = salespeople.offer(letter), self.people.get((letter.to, "b2c" if letter.code else "b2b"))
        if about:
            self._tally["offers"] += 1
            lead = self.people.get((about.lead, "b2b"))
            answer = salespeople.answer(self.seed, about, lead.on(letter.sent_at.date()).keen if lead else 0.0)
            if answer:
                self._plan(answer.at, self._answer, about, lead, answer)
        if about or who is None:  # a salesperson's mail server, or a stranger's, takes it; more is not known
            moment = letter.sent_at + timedelta(seconds=2)
            self._plan(moment, self.provider.hears, letter, Reaction(moment, Kind.DELIVERED))
            return
        for did in recipients.reactions(self.seed, letter, who):
            self._plan(did.at, self._react, letter, who, did)

    def _react(self, letter: Letter, who: SimulatedPerson, did: Reaction) -> None:
        match did.what:
            case Deed.BOUGHT:
                self._buy(who, did)
            case Deed.VISITED:
                self._visit(who, did)
            case Deed.LOOKED:
                self._knock("GET", did.url, 200)
            case Deed.LEFT_BY_HEADER:
                self._knock("POST", did.url, 200, {"List-Unsubscribe": "One-Click"})
                self._tally["unsubscribed"] += 1
            case Deed.LEFT_BY_PAGE:
                self._knock("GET", did.url, 200)
                self._knock("POST", did.url, 200)
                self._tally["unsubscribed"] += 1
            case Kind.REPLIED:
                self.replies.append(_reply(letter, who, did))
                self._tally["replied"] += 1
            case Kind() as kind:
                self.provider.hears(letter, did)
                self._count(letter, kind, did.machine)

    def _count(self, letter: Letter, kind: Kind, machine: bool) -> None:
        once = (kind.value, letter.message_id)
        if machine:
            self._tally["machines"] += 1
        elif kind not in (Kind.OPENED, Kind.CLICKED) or once not in self._seen:
            self._seen.add(once)
            self._tally[kind.value] += 1

    def _visit(self, who: SimulatedPerson, did: Reaction) -> None:
        self._rows["activities"].append((who.key, who.market, did.detail, _iso(did.at), _page(did.url)))
        self._tally["visits"] += 1

    def _buy(self, who: SimulatedPerson, did: Reaction) -> None:
        self._rows["orders"].append(
            (
                f"X{next(self._numbers):06d}",
                who.key,
                f"{did.at:%Y-%m-%d %H:%M}",
                _money(did.cents),
                "EUR",
                did.detail,
                did.url,
            )
        )
        self._tally["orders"] += 1

    # --- what salespeople do ---------------------------------------------------------------------------------------

    def _answer(self, about: SimulatedOffer, lead: SimulatedPerson | None, said: SimulatedAnswer) -> None:
        """Look at the lead's page first, then press one of its buttons."""
        self._knock("GET", about.page, 200)
        form = {"decision": said.decision.value, "reason": said.reason, "note": said.note}
        self._knock("POST", about.page, 303, form)
        self._tally[said.decision.value] += 1
        if said.deal_at and lead:
            self._plan(said.deal_at, self._deal, lead, said)

    def _deal(self, lead: SimulatedPerson, said: SimulatedAnswer) -> None:
        """They met, and it became an opportunity: what the salesperson enters in their own system."""
        assert said.deal_at  # noqa: S101  planned for that moment
        self._rows["activities"].append((lead.key, lead.market, "meeting", _iso(said.deal_at), "first talk"))
        self._rows["opportunities"].append(
            (f"X-{next(self._numbers)}", lead.company, lead.key, "Series E, first talk", "open",
             _money(said.cents).replace(".", ","), "EUR", f"{said.deal_at:%d.%m.%Y}", "", "", "evaluation",
             "Pump efficiency", "", "", "")
        )  # fmt: skip
        self._tally["deals"] += 1

    # --- the door --------------------------------------------------------------------------------------------------

    def _knock(self, method: str, url: str, status: int, form: Mapping[str, str] | None = None) -> None:
        if self._moment:
            self.turn_clock(self._moment)
        self._expect(self.door.request(method, _path(url), data=form), status)

    def _expect(self, answer: httpx.Response, status: int) -> None:
        if answer.status_code != status:
            path = urlsplit(str(answer.request.url)).path[:3]  # the door, never the token
            raise NotWelcome(
                f"the web app answered {answer.request.method} {path}… with {answer.status_code}, not {status}"
            )


def _reply(letter: Letter, who: SimulatedPerson, did: Reaction) -> dict[str, Any]:
    """A reply as the inbound door keeps it: an event of kind REPLIED about our letter."""
    return {
        "key": f"reply-{letter.message_id}", "kind": Kind.REPLIED.value, "at": did.at, "received_at": did.at,
        "address": who.address, "message_id": letter.message_id, "attempt_id": letter.attempt_id, "url": None,
        "machine": False, "raw": json.dumps({"event": "reply", "text": did.detail}, ensure_ascii=False),
    }  # fmt: skip


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _page(url: str) -> str:
    """A page as the site's own export names it."""
    return urlsplit(url).path


def _path(url: str) -> str:
    """A link of ours as the door's client takes it."""
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
