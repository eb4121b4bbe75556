"""Scoring: every lead and every account gets a score, a grade and the reasons."""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Engine

from models import activity
from models import order as orders
from models import score as scores
from models.account import Account
from models.bulk import share
from models.contact import Contact
from nurture import db
from nurture.rules import scoring
from nurture.rules.buying_group import account_score
from nurture.rules.scoring import Rules
from tasks.accounts import known, with_chances
from tasks.order import order

CHUNK = 4_000  # leads in memory at once; an account is never cut
ACCOUNTS = 2_000
BEST = frozenset({"A1", "A2", "B1", "B2"})


@dataclass(frozen=True)
class Scored:
    leads: int
    active: int  # with any activity that counts
    best: int  # grade A1, A2, B1 or B2


@dataclass(frozen=True)
class AccountsScored:
    accounts: int
    complete: int  # every needed role filled


@order(run_name="score shard {shard} of {shards}")
def score(engine: Engine, now: datetime, rules: Rules, shard: int = 0, shards: int = 1) -> Scored:
    """Score one shard's leads as of `now`: nothing later is known. Run again, the same scores."""
    leads = active = best = 0
    half_lives = {market: scoring.half_lives(sheet) for market, sheet in rules.markets.items()}
    with db.reading(engine) as session:
        start, last = share(session, Contact, shard, shards)
    while start <= last:
        with db.reading(engine) as session:
            rows = scores.leads(session, start, last, CHUNK, now)
            if not rows:
                break
            done = activity.deeds(session, {row["id"]: row["market"] for row in rows}, half_lives, now)
            bought = orders.purchases(session, rows[0]["id"], rows[-1]["id"], now)
        verdicts = [
            (row["id"], scoring.score(row | shopping(bought.get(row["id"]), now), done.get(row["id"], ()), rules, now))
            for row in rows
        ]
        with db.writing(engine) as session:
            written = {"version": rules.version, "scored_at": now}
            scores.write(session, [{"contact_id": one, **written, **verdict._asdict()} for one, verdict in verdicts])
        leads += len(rows)
        active += sum(verdict.last_activity_at is not None for _, verdict in verdicts)
        best += sum(verdict.grade in BEST for _, verdict in verdicts)
        start = rows[-1]["id"] + 1
    return Scored(leads, active, best)


@order(run_name="score accounts, shard {shard} of {shards}")
def score_accounts(engine: Engine, now: datetime, rules: Rules, shard: int = 0, shards: int = 1) -> AccountsScored:
    """Score one shard's accounts from their members' scores, roles and last activity, and from what was learned."""
    accounts = complete = 0
    with db.reading(engine) as session:
        first, last = share(session, Account, shard, shards)
        learned = known(session, rules, now)
    for start in range(first, last + 1, ACCOUNTS):
        with db.reading(engine) as session:
            members = scores.members(session, start, min(start + ACCOUNTS - 1, last), now)
            found = []
            for account_id, group in groupby(members, key=itemgetter("account_id")):
                people = [member for member in group if member["contact_id"]]
                verdict = account_score(people, rules.account, now, learned.roles.order)
                row = {"account_id": account_id, "version": rules.version, "scored_at": now, **verdict._asdict()}
                found.append(row)
            found = with_chances(session, found, learned, rules, now)
        with db.writing(engine) as session:
            scores.write_accounts(session, found)
        accounts += len(found)
        complete += sum(row["missing_role"] is None for row in found)
    return AccountsScored(accounts, complete)


def shopping(bought: orders.Purchases | None, now: datetime) -> dict[str, Any]:
    """The columns a shopper's fit looks at; none without an order."""
    if bought is None:
        return {}
    return {"recency_days": (now - bought.last_at).days, "frequency": bought.lately, "spent": bought.cents // 100}
