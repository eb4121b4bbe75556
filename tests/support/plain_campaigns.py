"""Plain campaigns: a campaign.toml, people, and letters that say no more than their own name."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select, update

from models import Account, Address, Contact, Enrolment, Message, Segment
from models import campaign as kept
from nurture.config import campaigns
from nurture.runtime import database
from tasks.planning import sequences
from tasks.planning.enrolments import Planned
from tests.support.people import add

GOAL = 'goal = "a word"'
STEPS = {"one": 'letter = "one"', "two": 'letter = "two"\nwait = "P2D"', "three": 'letter = "three"\nwait = "P2D"'}


def publish(
    engine: Engine, now: datetime, slug: str, *steps: str, top: str = "", account: str = "", audience: str = "1 = 1"
) -> int:
    """A version of a B2B campaign with these steps ("one", "two", or TOML of their own). Returns its id."""
    tables = "".join(f"[[steps]]\n{STEPS.get(step, step)}\n" for step in steps or STEPS)
    toml = f'name = "{slug}"\nmarket = "b2b"\naudience = "{audience}"\n'
    toml += (
        f"{'' if 'goal ' in top else 'goal = ' + chr(34) + 'a word' + chr(34)}\n{top}\n[account]\n{account}\n{tables}"
    )
    names = [line.split('"')[1] for line in tables.splitlines() if line.startswith("letter")]
    files = {f"{slug}/campaign.toml": toml} | {
        f"{slug}/{name}/{part}": name for name in names for part in ("subject.txt", "body.txt", "body.html")
    }
    campaigns.read_files(files, slug)
    with database.writing(engine) as session:
        entry = kept.CampaignTerms(slug, slug.title(), "b2b")
        return kept.publish(session, entry, campaigns.digest(files), files, "test", now)[0]


def settle(engine: Engine, now: datetime, people: Mapping[str, int | None], role: str = "specifier") -> None:
    """People by name, each at an account (by number) or at none; contact ids count from 1."""
    made = {"created_at": now - timedelta(days=9), "updated_at": now}
    accounts = sorted({account for account in people.values() if account})
    add(engine, Account, *({"id": n, "key": f"a{n}", "name": f"Company {n}", "traits": {}, **made} for n in accounts))
    for number, (name, account) in enumerate(people.items(), 1):
        address = f"{name}@a{account or 0}.example"
        add(engine, Address, {"address": address})
        add(engine, Contact, {"id": number, "market": "b2b", "key": address, "address": address, "email": address,
                              "first_name": name.title(), "account_id": account, "country": "DE",
                              "consent": "granted", "traits": {}, **made})  # fmt: skip
        add(engine, Segment, {"contact_id": number, "role": role, "role_confidence": 0.9, "segmented_at": now})


def morning(engine: Engine, now: datetime, slug: str, version: int) -> Planned:
    """The audience enters, and everybody's next letter is decided."""
    return sequences.enrol(engine, now, slug, version) + sequences.plan(engine, now, slug)


def post(engine: Engine, now: datetime, outcome: str | None = None) -> None:
    """Everything that waits and is due is accepted, as if it had left."""
    with database.writing(engine) as session:
        due = (Message.state == "waiting") & (Message.not_before <= now)  # type: ignore[arg-type, operator]
        session.execute(update(Message).where(due).values(state="accepted", accepted_at=now, outcome=outcome))  # type: ignore[arg-type]


def letters(engine: Engine, *columns: str) -> list[tuple[Any, ...]]:
    """The outbox in the order it was planned."""
    table = Message.__table__  # type: ignore[attr-defined]
    with database.reading(engine) as session:
        rows = session.execute(select(*(table.c[name] for name in columns)).order_by(table.c.id))
        return [tuple(row) for row in rows]


def enrolments(engine: Engine, *columns: str) -> list[tuple[Any, ...]]:
    table = Enrolment.__table__  # type: ignore[attr-defined]
    with database.reading(engine) as session:
        rows = session.execute(select(*(table.c[name] for name in columns)).order_by(table.c.contact_id))
        return [tuple(row) for row in rows]
