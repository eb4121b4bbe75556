"""Scoring: every lead and every account gets a score, a grade and the reasons."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from models import activity
from models import order as orders
from models import score as scores
from models.account import Account
from models.bulk_upsert import share
from models.contact import Contact
from models.score import LeadToScore, NewAccountScore, NewScore
from nurture.rules.scoring import lead_score
from nurture.rules.scoring.account_score import account_score
from nurture.rules.scoring.lead_score import Rules
from nurture.runtime import database
from tasks.scoring.accounts import known, with_chances
from tasks.task import task

if TYPE_CHECKING:
    from nurture.learning.fit.scorer import Scorer

CHUNK = 4_000  # leads in memory at once; an account is never cut
ACCOUNTS = 2_000
BEST = frozenset({"A1", "A2", "B1", "B2"})


@dataclass(frozen=True)
class Scored:
    """How many leads got a score."""

    leads: int
    active: int  # with any activity that counts
    best: int  # grade A1, A2, B1 or B2
    learned: int = 0  # scored by a learned model

    def __add__(self, other: "Scored") -> "Scored":
        return Scored(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    @classmethod
    def of(cls, scored: Sequence[NewScore], learned: int = 0) -> "Scored":
        """Counts scores as they were written; `learned` of them were made by a learned model."""
        active = sum(one.last_activity_at is not None for one in scored)
        return cls(len(scored), active, sum(one.grade in BEST for one in scored), learned)


@dataclass(frozen=True)
class AccountsScored:
    """How many accounts got a score."""

    accounts: int
    complete: int  # every needed role filled


@task(run_name="score shard {shard} of {shards}")
def score(
    engine: Engine, now: datetime, rules: Rules, models: Path | None = None, shard: int = 0, shards: int = 1
) -> Scored:
    """Score one shard's leads as of `now`: nothing later is known. Run again, the same scores.

    `models` is the folder of learned models: a market with a champion there is scored by it, the others by the rules.
    Without it the rules score everybody.
    """
    learned = _champions(models, rules)
    done = _by_rules(engine, now, rules, [one for one in rules.markets if one not in learned], shard, shards)
    for scorer in learned.values():
        from tasks.scoring.learned_scores import score_stretch, stretches

        for stretch in stretches(engine, scorer, shard, shards):
            with unswept():
                found = score_stretch(engine, now, rules, scorer, stretch)
            done += Scored.of(found, learned=len(found))
    return done


def _champions(models: Path | None, rules: Rules) -> dict[str, "Scorer"]:
    """Nothing is imported for a champion that is not there."""
    if models is None or not any((models / market / "promotions.jsonl").is_file() for market in rules.markets):
        return {}
    from tasks.scoring.learned_scores import champions

    return champions(models, iter(rules.markets))


def _by_rules(engine: Engine, now: datetime, rules: Rules, markets: Sequence[str], shard: int, shards: int) -> Scored:
    done = Scored(0, 0, 0)
    half_lives = {market: lead_score.half_lives(rules.markets[market]) for market in markets}
    with database.reading(engine) as session:
        start, last = share(session, Contact, shard, shards)
    while markets and start <= last:
        with unswept():
            with database.reading(engine) as session:
                leads = scores.leads(session, start, last, CHUNK, now, markets)
                if not leads:
                    break
                did = activity.deeds(session, {lead.id: lead.market for lead in leads}, half_lives, now)
                bought = orders.purchases(session, leads[0].id, leads[-1].id, now)
            found = []
            for lead in leads:
                lead = with_purchases(lead, bought.get(lead.id), now)
                found.append(
                    NewScore(
                        lead.id, rules.version, now, None, *lead_score.score(lead, did.get(lead.id, ()), rules, now)
                    )
                )
            with database.writing(engine) as session:
                scores.write(session, found)
        done += Scored.of(found)
        start = leads[-1].id + 1
    return done


@contextmanager
def unswept() -> Iterator[None]:
    """Python looks through a stretch's many small objects for cycles again and again and finds none: 30 % of the
    time. So it is let off until the stretch is done."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@task(run_name="score accounts, shard {shard} of {shards}")
def score_accounts(engine: Engine, now: datetime, rules: Rules, shard: int = 0, shards: int = 1) -> AccountsScored:
    """Score one shard's accounts from their members' scores, roles and last activity, and from what was learned."""
    accounts = complete = 0
    with database.reading(engine) as session:
        first, last = share(session, Account, shard, shards)
        learned = known(session, rules, now)
    for start in range(first, last + 1, ACCOUNTS):
        with database.reading(engine) as session:
            members = scores.members(session, start, min(start + ACCOUNTS - 1, last), now)
            found = []
            for account_id, group in groupby(members, key=attrgetter("account_id")):
                people = [member for member in group if member.contact_id]
                standing = account_score(people, rules.account, now, learned.roles.order)
                found.append(NewAccountScore(account_id, rules.version, now, *standing))
            found = with_chances(session, found, learned, rules, now)
        with database.writing(engine) as session:
            scores.write_accounts(session, found)
        accounts += len(found)
        complete += sum(one.missing_role is None for one in found)
    return AccountsScored(accounts, complete)


def with_purchases(lead: LeadToScore, bought: orders.Purchases | None, now: datetime) -> LeadToScore:
    """The lead with the columns a shopper's fit looks at; as it is where there is no order."""
    if bought is None:
        return lead
    return lead._replace(
        recency_days=(now - bought.last_at).days, frequency=bought.orders_in_year, spent=bought.cents_in_year // 100
    )
