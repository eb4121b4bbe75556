"""Accounts: what the record of opportunities teaches about them, and today's chance of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from sqlmodel import Session

from models import learned_parameter
from models.learned_parameter import About
from models.opportunity import OpportunityOutcome
from models.queries import account_history as history
from nurture.rules.scoring import missing_roles
from nurture.rules.scoring.lead_score import Rules
from nurture.rules.scoring.missing_roles import Deal, Roles
from nurture.runtime import database
from tasks.task import task

if TYPE_CHECKING:
    from nurture.learning.accounts.model import AccountModel

MOST_MOMENTS = 12  # looks back, a horizon apart
MOST_QUIET = 40_000  # looks at accounts that opened nothing; beyond it a known share of them
STRONG = 5  # points from which on the file calls a kind of activity strong
CHANCE = "chance"  # the part of a reason that is no points
GONE = (OpportunityOutcome.OPEN, OpportunityOutcome.WON)  # an account with one of these opens no first opportunity


@dataclass(frozen=True)
class LearnedAccounts:
    looks: int  # accounts as they were at earlier moments
    opened: int  # opportunities among them
    deals: int  # closed ones, for the roles
    version: str  # of the model; empty: the rules stay in charge
    words: str


@dataclass(frozen=True)
class Known:
    """The lessons in force: `model` None where the rules stay in charge."""

    roles: Roles
    model: "AccountModel | None" = None
    version: str = ""


@dataclass(frozen=True)
class _Look:
    """The accounts of one earlier moment, and which of them opened an opportunity within the horizon after it."""

    at: datetime
    accounts: list[int]
    opened: set[int]


@task(run_name="learn about accounts")
def learn_accounts(engine: Engine, now: datetime, rules: Rules) -> LearnedAccounts:
    """Learn from all opportunities by `now` and keep the lessons: a new version each, or why nothing was learned."""
    import numpy as np
    import polars as pl

    from nurture.learning.accounts import model as scorer

    needed, horizon = rules.account.needed_roles, rules.account.horizon_days
    with database.reading(engine) as session:
        since = {row["account_id"]: row["since"] for row in history.known_since(session)}
        opportunities = history.opportunities(session, now)
    looks = _looks(since, opportunities, now, timedelta(days=horizon))
    quiet = sum(len(look.accounts) - len(look.opened) for look in looks)
    kept = min(1.0, MOST_QUIET / quiet) if quiet else 1.0
    chance, frames, outcomes, moments = np.random.default_rng(0), [], [], []
    for number, look in enumerate(reversed(looks)):  # the oldest first
        drawn = chance.random(len(look.accounts))
        some = [one for one, luck in zip(look.accounts, drawn, strict=True) if one in look.opened or luck < kept]
        frame = _as_they_were(engine, some, look.at, rules, needed)
        frames.append(frame)
        outcomes.append(frame["account_id"].is_in(sorted(look.opened)).cast(pl.Float64).to_numpy())
        moments.append(np.full(frame.height, number))
    if frames:
        y, moment = np.concatenate(outcomes), np.concatenate(moments)
        model = scorer.learn(pl.concat(frames), y, moment, needed, horizon, kept)
    else:
        model = scorer.RulesStay("The rules stay in charge of accounts: no account was known a horizon ago.")
    learned = isinstance(model, scorer.AccountModel)
    words = scorer.headline(model) if isinstance(model, scorer.AccountModel) else model.reason
    version = model.version if isinstance(model, scorer.AccountModel) else ""
    roles, deals = _roles(engine, opportunities, needed)
    with database.writing(engine) as session:
        body = model.as_body() if isinstance(model, scorer.AccountModel) else {}
        learned_parameter.write(session, About.ACCOUNTS, version, words, body, now)
        told = "" if roles.why_not else f"roles-{now:%Y-%m-%d}"
        learned_parameter.write(session, About.ROLES, told, roles.sentence, roles.as_body(), now)
    opened = sum(len(look.opened) for look in looks)
    return LearnedAccounts(sum(len(look.accounts) for look in looks) if learned else 0, opened, deals, version, words)


def known(session: Session, rules: Rules, now: datetime) -> Known:
    """What was learned by `now` and is in force."""
    needed = rules.account.needed_roles
    about_roles = learned_parameter.newest(session, About.ROLES, now)
    roles = missing_roles.read(about_roles["body"], needed) if about_roles and about_roles["version"] else Roles(needed)
    about_accounts = learned_parameter.newest(session, About.ACCOUNTS, now)
    if not about_accounts or not about_accounts["version"]:
        return Known(roles)
    from nurture.learning.accounts.model import AccountModel

    return Known(roles, AccountModel.read(about_accounts["body"]), about_accounts["version"])


def with_chances(
    session: Session, found: Sequence[dict[str, Any]], learned: Known, rules: Rules, now: datetime
) -> list[dict[str, Any]]:
    """Rows of account_score with the chance of those that have no opportunity yet, and its reason before the others."""
    chances: dict[int, tuple[float, str]] = {}
    if learned.model:
        from nurture.learning.accounts import model as scorer

        accounts = [row["account_id"] for row in found]
        busy = history.with_opportunity(session, accounts, GONE, now)
        free = [one for one in accounts if one not in busy]
        kinds, strong = _kinds(rules)
        members, traits = history.members(session, free, now, kinds, strong), history.traits(session, free, now)
        frame = scorer.features(members, traits, learned.model.needed, now)
        told = zip(learned.model.chances(frame), learned.model.reasons(frame), strict=True)
        chances = dict(zip(frame["account_id"].to_list(), ((float(p), why) for p, why in told), strict=True))
    return [_with_chance(row, chances.get(row["account_id"]), learned) for row in found]


def _with_chance(row: dict[str, Any], chance: tuple[float, str] | None, learned: Known) -> dict[str, Any]:
    why = learned.roles.why(row["missing_role"])
    if chance is None:
        return row | {"probability": None, "missing_why": why}
    first = {"text": chance[1], "points": 0, "part": CHANCE}
    return row | {
        "probability": round(chance[0], 4), "missing_why": why, "reasons": [first, *row["reasons"]],
        "version": f"{row['version']}+{learned.version}",
    }  # fmt: skip


def _looks(
    since: dict[int, datetime], opportunities: Sequence[dict[str, Any]], now: datetime, horizon: timedelta
) -> list[_Look]:
    """Earlier moments a horizon apart, the newest first, whose horizons are over: nobody counts as quiet too early."""
    looks = []
    for back in range(1, MOST_MOMENTS + 1):
        at = now - back * horizon
        there = sorted(account for account, first in since.items() if first <= at)
        if not there:
            break
        busy, opened = set(), set()
        for one in opportunities:
            if one["opened_at"] > at:
                if one["opened_at"] <= at + horizon:
                    opened.add(one["account_id"])
            elif one["closed_at"] is None or one["closed_at"] > at or one["outcome"] == OpportunityOutcome.WON:
                busy.add(one["account_id"])  # under way, or a customer
        free = [account for account in there if account not in busy]
        looks.append(_Look(at, free, opened & set(free)))
    return looks


def _as_they_were(engine: Engine, accounts: list[int], at: datetime, rules: Rules, needed: Sequence[str]) -> Any:
    from nurture.learning.accounts.model import features

    kinds, strong = _kinds(rules)
    with database.reading(engine) as session:
        members = history.members(session, accounts, at, kinds, strong)
        return features(members, history.traits(session, accounts, at), needed, at)


def _kinds(rules: Rules) -> tuple[list[str], list[str]]:
    """What counts as being active, and what as a strong sign: kinds of activity by their points in the file."""
    kinds = rules.markets["b2b"].kinds.values()
    return [one.name for one in kinds if one.points >= 1], [one.name for one in kinds if one.points >= STRONG]


def _roles(engine: Engine, opportunities: Sequence[dict[str, Any]], needed: Sequence[str]) -> tuple[Roles, int]:
    closed = {
        one["id"]: one for one in opportunities if one["outcome"] in (OpportunityOutcome.WON, OpportunityOutcome.LOST)
    }
    with database.reading(engine) as session:
        asked = [(one["id"], one["account_id"], one["opened_at"]) for one in closed.values()]
        there = history.known_roles(session, asked)
    deals = [Deal(roles, closed[one]["outcome"] == OpportunityOutcome.WON) for one, roles in there.items()]
    return missing_roles.learn(deals, needed), len(deals)
