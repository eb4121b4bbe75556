"""A small invented history: accounts, people and three campaigns, and whatever may happen between two mornings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from sqlalchemy import Engine, insert, select, update
from sqlmodel import Session

from models import Account, Activity, Address, Contact, Enrolment, Message, Opportunity, Segment
from models import account_pause as pauses
from models import campaign as kept
from models.delivery_states import State
from models.handoff import Handoff
from models.order import Order
from models.queries.account_stop import AccountStop, stop_accounts
from models.queries.sales_answers import answer
from models.queries.suppression import suppress
from nurture.config import campaigns
from nurture.explain.why import Explanation, why
from nurture.rules.reasons import Decision, Exit, Send, Skip, Wait
from nurture.runtime import database
from tasks.planning import promotions, sequences
from tests.support.people import add

PEOPLE, B2B = 9, 7  # the others are consumers
START, DAY = datetime(2026, 3, 2, 7, tzinfo=UTC), timedelta(days=1)
CONTENT = "\n".join(
    f'[{slug}]\nkind = "case study"\nstage = "evaluation"\nurl = "https://x.example/{slug}"\ntitle = {{en = "T"}}'
    for slug in ("first", "second", "named")
)
BODIES = {"needs": '{{ best["case study"].title }}', "names": '{{ content["named"].title }}', "plain": "Hello"}
CASES = """
name = "Cases"
market = "b2b"
goal = "reply"
audience = "stage IN ('lead', 'mql') AND (time_zone IS NULL OR time_zone = 'Europe/Berlin')"
reentry = "P6D"
[[steps]]
letter = "needs"
[[steps]]
letter = "names"
wait = "P1D"
[[steps]]
letter = "needs-2"
wait = "P1D"
[[steps]]
letter = "needs-3"
"""
PROOF = """
name = "Proof"
market = "b2b"
goal = "opportunity"
audience = "stage = 'lead'"
priority = 60
exit_when = "visits_30d >= 3"
[account]
outranked = "leave"
[[steps]]
letter = "plain"
roles = ["specifier"]
[[steps]]
letter = "needs"
roles = ["authorizer"]
after = { roles = ["specifier"], did = "clicked" }
patience = "P3D"
[[steps]]
letter = "plain-2"
when = "clicks_30d >= 1"
patience = "P4D"
"""
SALE = """
name = "Sale"
market = "b2c"
goal = "order"
audience = "market = 'b2c'"
holdout = 0.3
[offer]
code = "X"
ends_on = 2026-03-14
[[steps]]
letter = "plain"
[[steps]]
letter = "plain-2"
wait = "P3D"
"""
TERMS = {"cases": CASES, "proof": PROOF, "sale": SALE}


class Standing(NamedTuple):
    """One lead in one campaign: the enrolment's state, reason and run, and the letters with their state and reason."""

    state: str | None
    why: str | None
    run: int
    letters: dict[str, tuple[str, str | None, dict[str, str] | None]]


NOBODY = Standing(None, None, 0, {})


@dataclass
class History:
    """The same seed tells the same history."""

    engine: Engine
    seed: int
    now: datetime = START
    versions: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance, self.ids = Random(self.seed), 0
        made = {"traits": {}, "created_at": START - 9 * DAY, "updated_at": START}
        add(self.engine, Account, *({"id": n, "key": f"a{n}", "name": f"A{n}", "country": "DE", **made}
                                    for n in (1, 2)))  # fmt: skip
        for n in range(1, PEOPLE + 1):
            market = "b2c" if n > B2B else "b2b"
            address, account = f"p{n}@x.example", n % 3 or None
            add(self.engine, Address, {"address": address})
            add(self.engine, Contact, {
                "id": n, "market": market, "key": address, "address": address, "email": address, "locale": "en",
                "account_id": account if market == "b2b" else None, "stage": "aware" if market == "b2c" else "lead",
                "consent": self.chance.choice(["granted", "granted", "granted", "unknown"]), **made})  # fmt: skip
            role = self.chance.choice(["specifier", "authorizer", "user"])
            add(self.engine, Segment, {"contact_id": n, "role": role, "title_role": role, "segmented_at": START})
        for slug, toml in TERMS.items():
            self.publish(slug, toml)

    def publish(self, slug: str, toml: str) -> None:
        """A version whose letters are called after what they ask of the library."""
        letters = [line.split('"')[1] for line in toml.splitlines() if line.startswith("letter")]
        files = {f"{slug}/campaign.toml": toml, "content.toml": CONTENT}
        for letter in letters:
            body = BODIES[letter.partition("-")[0]]
            files |= {f"{slug}/{letter}/subject.txt": "s", f"{slug}/{letter}/body.txt": body,
                      f"{slug}/{letter}/body.html": f"<p>{body}</p>"}  # fmt: skip
        terms = campaigns.read_files(files, slug)
        with database.writing(self.engine) as session:
            entry = kept.CampaignTerms(slug, terms.name, terms.market)
            self.versions[slug] = kept.publish(session, entry, campaigns.digest(files), files, "me", self.now)[0]

    # --- what happens between two mornings

    def night(self) -> None:
        """Letters leave, people do things, a day or more passes."""
        for _ in range(self.chance.randrange(7)):
            self.chance.choice(self.events)()
        self.now += self.chance.choice([1, 1, 1, 2, 3]) * DAY

    @property
    def events(self) -> list[Callable[[], None]]:
        """What may happen."""
        return [self.letters_leave] * 4 + [
            self.somebody_clicks, self.somebody_downloads, self.somebody_visits, self.somebody_leaves,
            self.somebody_is_away, self.consent_changes, self.stage_changes, self.a_deal_opens, self.an_account_pauses,
            self.an_account_answers, self.somebody_buys, self.a_version_is_published,
            self.somebody_moves, self.sales_say_no,
        ]  # fmt: skip

    def letters_leave(self) -> None:
        """Each waiting letter is accepted, refused, or nobody knows."""
        with database.writing(self.engine) as session:
            for id in session.execute(
                select(Message.id).where(Message.state == "waiting").order_by(Message.id)
            ).scalars():  # type: ignore[arg-type]
                state = self.chance.choice([State.ACCEPTED] * 6 + [State.UNKNOWN, State.REFUSED])
                session.execute(update(Message).where(Message.id == id).values(state=state, accepted_at=self.now))  # type: ignore[arg-type]

    def somebody_clicks(self) -> None:
        self._does("email_click", "https://x.example/first?utm=1")
        with database.writing(self.engine) as session:
            ids = (
                session.execute(select(Message.id).where(Message.state == "accepted").order_by(Message.id))
                .scalars()
                .all()
            )  # type: ignore[arg-type]
            if ids:
                chosen = self.chance.choice(ids)
                session.execute(update(Message).where(Message.id == chosen).values(outcome="clicked"))  # type: ignore[arg-type]

    def somebody_downloads(self) -> None:
        self._does("download", self.chance.choice(["first", "second"]))

    def somebody_visits(self) -> None:
        for _ in range(2):
            self._does("page_view", None, 3)

    def somebody_is_away(self) -> None:
        self._does("out_of_office", self.chance.choice(["back on 9 March", "away", "until 20 March"]))

    def somebody_leaves(self) -> None:
        with database.writing(self.engine) as session:
            suppress(session, [self._address()], self.chance.choice(["unsubscribe", "bounce"]), "test", self.now)

    def consent_changes(self) -> None:
        self._change(consent=self.chance.choice(["granted", "withdrawn"]))

    def stage_changes(self) -> None:
        self._change(stage=self.chance.choice(["lead", "mql", "customer"]))

    def somebody_moves(self) -> None:
        self._change(time_zone=self.chance.choice([None, "America/New_York", "Europe/Berlin"]))

    def sales_say_no(self) -> None:
        with database.writing(self.engine) as session:
            free = select(Contact.id).where(Contact.market == "b2b", Contact.id.not_in(select(Handoff.contact_id)))  # type: ignore[union-attr]
            chosen = session.execute(free.order_by(Contact.id)).scalars().first()  # type: ignore[arg-type]
            if chosen is None:
                return
            offer = {"contact_id": chosen, "account_id": chosen % 3 or None, "owner_email": "sam@x.example",
                     "score": 80, "grade": "A1", "score_version": "v", "offered_at": self.now,
                     "due_at": self.now + DAY}  # fmt: skip
            session.execute(insert(Handoff).values(offer))
            [id] = session.execute(select(Handoff.id).order_by(Handoff.id.desc()).limit(1)).scalars()  # type: ignore[union-attr]
            code = self.chance.choice(["no_need", "no_need", "competitor"])
            answer(session, id or 0, "rejected", code, self.now, ["competitor"])

    def a_deal_opens(self) -> None:
        n = self._next()
        add(self.engine, Opportunity, {"key": f"o{n}", "account_id": self.chance.randint(1, 2), "name": "Deal",
                                       "outcome": "open", "currency": "EUR", "traits": {},
                                       "opened_at": self.now})  # fmt: skip

    def an_account_pauses(self) -> None:
        with database.writing(self.engine) as session:
            until = self.now + self.chance.randint(1, 5) * DAY
            pauses.pause_account(session, self.chance.randint(1, 2), until, "tender", "Sam", self.now)

    def an_account_answers(self) -> None:
        with database.writing(self.engine) as session:
            stop_accounts(session, {self.chance.randint(1, 2): AccountStop(self.now, "reply")})

    def somebody_buys(self) -> None:
        n = self._next()
        add(self.engine, Order, {"key": f"b{n}", "contact_id": self.chance.randint(B2B + 1, PEOPLE), "at": self.now,
                                 "amount_cents": 100, "currency": "EUR"})  # fmt: skip

    def a_version_is_published(self) -> None:
        slug = self.chance.choice(sorted(TERMS))
        self.publish(slug, TERMS[slug] + f"# {self._next()}\n")

    def _letters(self, session: Session, state: State) -> list[int]:
        m = Message.__table__.c  # type: ignore[attr-defined]
        return list(session.execute(select(m.id).where(m.state == state).order_by(m.id)).scalars())

    def _next(self) -> int:
        self.ids += 1
        return self.ids

    def _address(self) -> str:
        return f"p{self.chance.randint(1, PEOPLE)}@x.example"

    def _change(self, **values: Any) -> None:
        with database.writing(self.engine) as session:
            session.execute(update(Contact).where(Contact.id == self.chance.randint(1, B2B)).values(**values))  # type: ignore[arg-type]

    def _does(self, kind: str, detail: str | None, contact: int | None = None) -> None:
        n = contact or self.chance.randint(1, PEOPLE)
        add(self.engine, Activity, {"dedupe": self._next(), "contact_id": n, "kind": kind, "at": self.now,
                                    "detail": detail})  # fmt: skip

    # --- the morning

    def foretell(self, slug: str) -> dict[str, Explanation]:
        """What `why` says of everybody, by address."""
        with database.reading(self.engine) as session:
            return {address: why(session, self.now, address, slug) for address in self.addresses}

    def run(self, slug: str) -> None:
        """The planning run of one campaign."""
        noun = promotions if slug == "sale" else sequences
        noun.enrol(self.engine, self.now, slug, self.versions[slug])
        noun.plan(self.engine, self.now, slug)

    @property
    def addresses(self) -> list[str]:
        """Everybody's."""
        return [f"p{n}@x.example" for n in range(1, PEOPLE + 1)]

    def where_leads_stand(self, slug: str) -> dict[str, Standing]:
        """Where each lead stands in a campaign, by address."""
        e, m = Enrolment.__table__.c, Message.__table__.c  # type: ignore[attr-defined]
        with database.reading(self.engine) as session:
            letters: dict[str, dict[str, Any]] = {}
            columns = (m.address, m.letter, m.state, m.reason, m.content_assets)
            for address, letter, *rest in session.execute(select(*columns).where(m.campaign == slug)):
                letters.setdefault(address, {})[letter] = tuple(rest)
            rows = session.execute(select(e.address, e.state, e.why, e.run).where(e.campaign == slug))
            return {row.address: Standing(row.state, row.why, row.run, letters.get(row.address, {})) for row in rows}


def disagreement(said: Explanation, before: Standing, after: Standing) -> str | None:
    """How the run did otherwise than `why` had said; None: it did just that."""
    new = {letter: found for letter, found in after.letters.items() if letter not in before.letters}
    if said.next is None:
        entered = after.run > before.run
        return None if entered == said.enters else f"{said.sentence} But the run {'entered' if entered else 'did not'}"
    did: Decision | None = said.next
    match said.next:
        case Send(letter=letter, content=content):
            right = new == {letter: ("waiting", None, dict(content) if content else content)}
        case Skip(letter=letter, reason=reason):
            right = new == {letter or "": ("skipped", reason, None)}
        case Wait():
            right = not new and after.state == "active"
        case Exit():
            right = not new and after.state != "active" and after.why == said.next.sentence()
    return None if right else f"{said.sentence} ({did}) But the run made {before} into {after}"
