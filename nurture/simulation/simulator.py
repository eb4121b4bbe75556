"""The simulator: simulated people get letters, and what comes of each happens when its time has come.

It knows our installation only from outside: the mailbox it reads, the web app it calls, and the files that a shop and
a site would send.
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
from urllib.parse import urlsplit

import httpx

from models.event import EventKind, NewEvent
from nurture.simulation import recipients, salespeople
from nurture.simulation.inbox import ReceivedMail, SimulatedInbox
from nurture.simulation.provider import SimulatedProvider
from nurture.simulation.recipients import Reaction, SimulatedAction, SimulatedPerson
from nurture.simulation.salespeople import SimulatedAnswer, SimulatedOffer

EVENTS = "/events/sendgrid"
FILES = {  # what the site, the shop and sales export, in the columns of examples/data: kind → header, separator
    "activities": (("contact", "market", "what", "when", "detail"), ","),
    "orders": (("order_no", "customer_id", "ordered", "total", "currency", "product", "voucher"), ","),
    "opportunities": (("Deal", "Account no", "Contact no", "Subject", "Status", "Value", "Currency", "Opened",
                       "Closed", "Lost because", "Deal stage", "Solution", "Tender due", "Decision", "Criteria"), ";"),
}  # fmt: skip


class UnexpectedAnswer(Exception):
    """The web app answered as no recipient should ever see. The text says which URL answered what: a bug of ours."""


@dataclass
class Simulator:
    """Plays everybody outside: recipients, salespeople, the mail provider, the shop and the site.

    `web`: an HTTP client whose base is the web app. `people`: by address and market, for somebody may be an engineer at
    work and a shopper at home. `set_clock` is called with the time of each request before it is made, so that the web
    app writes it down.
    """

    seed: int
    people: Mapping[tuple[str, str], SimulatedPerson]
    mailbox: SimulatedInbox
    provider: SimulatedProvider
    web: httpx.Client
    set_clock: Callable[[datetime], None]
    replies: list[NewEvent] = field(default_factory=list)  # of kind REPLIED; there is no endpoint for inbound mail
    _counts: Counter[str] = field(default_factory=Counter)
    _due: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _rows: dict[str, list[Sequence[str]]] = field(default_factory=lambda: {kind: [] for kind in FILES})
    _seen: set[tuple[str, int]] = field(default_factory=set)  # opened and clicked letters: counted once
    _moment: datetime | None = None  # of what is happening
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def run_until(self, now: datetime) -> None:
        """Read the new mail, do everything whose time has come, and post the provider's events."""
        for mail in self.mailbox.new():
            self._receive(mail)
        while self._due and self._due[0][0] <= now:
            moment, _, act = heapq.heappop(self._due)
            self._moment = moment
            act()
        self.set_clock(now)
        for headers, body in self.provider.due_posts(now):
            self._check_status(self.web.post(EVENTS, content=body, headers=dict(headers)), 204)

    def plan_day(self, day: date) -> None:
        """Schedule what people do that day with or without a letter: shoppers buy, engineers look for pumps."""
        for who in self.people.values():
            bought = recipients.shop_order(self.seed, who, day)
            if bought:
                self._schedule(bought.at, partial(self._buy, who, bought))
            for did in recipients.site_visits(self.seed, who, day):
                self._schedule(did.at, partial(self._visit, who, did))

    def write_files(self, folder: Path, name: str) -> list[tuple[str, Path]]:
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

    def take_counts(self) -> Counter[str]:
        """What people did since the last call, in counts."""
        taken, self._counts = self._counts, Counter()
        return taken

    # --- what comes of a letter ---

    def _schedule(self, at: datetime, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at, next(self._numbers), act))

    def _receive(self, mail: ReceivedMail) -> None:
        self._counts["letters"] += 1
        about, who = salespeople.read_offer(mail), self.people.get((mail.to, "b2c" if mail.code else "b2b"))
        if about:
            self._counts["offers"] += 1
            lead = self.people.get((about.lead, "b2b"))
            answer = salespeople.decide(self.seed, about, lead.on(mail.sent_at.date()).keen if lead else 0.0)
            if answer:
                self._schedule(answer.at, partial(self._answer, about, lead, answer))
        if about or who is None:  # a salesperson's mail server, or a stranger's, takes it; more is not known
            moment = mail.sent_at + timedelta(seconds=2)
            self._schedule(moment, partial(self.provider.record, mail, Reaction(moment, EventKind.DELIVERED)))
            return
        for did in recipients.reactions(self.seed, mail, who):
            self._schedule(did.at, partial(self._react, mail, who, did))

    def _react(self, mail: ReceivedMail, who: SimulatedPerson, did: Reaction) -> None:
        match did.what:
            case SimulatedAction.BOUGHT:
                self._buy(who, did)
            case SimulatedAction.VISITED:
                self._visit(who, did)
            case SimulatedAction.LOOKED:
                self._request("GET", did.url, 200)
            case SimulatedAction.LEFT_BY_HEADER:
                self._request("POST", did.url, 200, {"List-Unsubscribe": "One-Click"})
                self._counts["unsubscribed"] += 1
            case SimulatedAction.LEFT_BY_PAGE:
                self._request("GET", did.url, 200)
                self._request("POST", did.url, 200)
                self._counts["unsubscribed"] += 1
            case EventKind.REPLIED:
                self.replies.append(_reply(mail, who, did))
                self._counts["replied"] += 1
            case EventKind() as kind:
                self.provider.record(mail, did)
                self._count_reaction(mail, kind, did.machine)

    def _count_reaction(self, mail: ReceivedMail, kind: EventKind, machine: bool) -> None:
        once = (kind.value, mail.message_id)
        if machine:
            self._counts["machines"] += 1
        elif kind not in (EventKind.OPENED, EventKind.CLICKED) or once not in self._seen:
            self._seen.add(once)
            self._counts[kind.value] += 1

    def _visit(self, who: SimulatedPerson, did: Reaction) -> None:
        self._rows["activities"].append((who.key, who.market, did.detail, _iso(did.at), _page(did.url)))
        self._counts["visits"] += 1

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
        self._counts["orders"] += 1

    # --- what salespeople do ---

    def _answer(self, about: SimulatedOffer, lead: SimulatedPerson | None, said: SimulatedAnswer) -> None:
        """Look at the lead's page first, then press one of its buttons."""
        self._request("GET", about.page, 200)
        form = {"decision": said.decision.value, "reason": said.reason, "note": said.note}
        self._request("POST", about.page, 303, form)
        self._counts[said.decision.value] += 1
        if said.deal_at and lead:
            self._schedule(said.deal_at, partial(self._deal, lead, said))

    def _deal(self, lead: SimulatedPerson, said: SimulatedAnswer) -> None:
        """They met, and it became an opportunity: what the salesperson enters in their own system."""
        assert said.deal_at  # noqa: S101  planned for that moment
        self._rows["activities"].append((lead.key, lead.market, "meeting", _iso(said.deal_at), "first talk"))
        self._rows["opportunities"].append(
            (f"X-{next(self._numbers)}", lead.company, lead.key, "Series E, first talk", "open",
             _money(said.cents).replace(".", ","), "EUR", f"{said.deal_at:%d.%m.%Y}", "", "", "evaluation",
             "Pump efficiency", "", "", "")
        )  # fmt: skip
        self._counts["deals"] += 1

    # --- requests to the web app ---

    def _request(self, method: str, url: str, status: int, form: Mapping[str, str] | None = None) -> None:
        if self._moment:
            self.set_clock(self._moment)
        self._check_status(self.web.request(method, _path(url), data=form), status)

    def _check_status(self, answer: httpx.Response, status: int) -> None:
        if answer.status_code != status:
            path = urlsplit(str(answer.request.url)).path[:3]  # the endpoint, never the token
            raise UnexpectedAnswer(
                f"the web app answered {answer.request.method} {path}… with {answer.status_code}, not {status}"
            )


def _reply(mail: ReceivedMail, who: SimulatedPerson, did: Reaction) -> NewEvent:
    """A reply as it is kept: an event of kind REPLIED about our mail."""
    return NewEvent(
        key=f"reply-{mail.message_id}", kind=EventKind.REPLIED.value, at=did.at, received_at=did.at,
        address=who.address,
        message_id=mail.message_id, attempt_id=mail.attempt_id, provider_id=None, stop=None, database_name=None,
        url=None, machine=False, raw=json.dumps({"event": "reply", "text": did.detail}, ensure_ascii=False),
    )  # fmt: skip


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _page(url: str) -> str:
    """A page as the site's own export names it."""
    return urlsplit(url).path


def _path(url: str) -> str:
    """A link of ours as a path for the web app's client."""
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
