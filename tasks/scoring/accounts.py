"""Accounts: what the record of opportunities teaches about them, and today's chance of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlmodel import Session

from models import learned_parameter
from models.learned_parameter import LearnedSubject
from models.opportunity import OpportunityOutcome
from models.queries import account_history as history
from models.queries.account_history import KnownAccount, OpportunityThen
from models.score import NewAccountScore, ScoreReason
from nurture.rules.scoring import missing_roles
from nurture.rules.scoring.lead_score import Rules
from nurture.rules.scoring.missing_roles import ClosedDeal, NeededRoles
from nurture.runtime import database
from tasks.task import task

if TYPE_CHECKING:
    import polars as pl

    from nurture.learning.accounts.features import AccountsThen
    from nurture.learning.accounts.model import AccountModel

MOST_MOMENTS = 12  # looks back, a horizon apart
MOST_QUIET = 40_000  # looks at accounts that opened nothing; beyond it a known share of them
STRONG = 5  # points from which on the file calls a kind of activity strong
CHANCE = "chance"  # the part of a reason that is no points
GONE = (OpportunityOutcome.OPEN, OpportunityOutcome.WON)  # an account with one of these opens no first opportunity


@dataclass(frozen=True)
class LearnedAccounts:
    """What the record of opportunities taught about accounts, counted and in words."""

    looks: int  # accounts as they were at earlier moments
    opened: int  # opportunities among them
    deals: int  # closed ones, for the roles
    version: str  # of the model; empty: the rules stay in charge
    words: str


@dataclass(frozen=True)
class AccountKnowledge:
    """What was learned and counts now: `model` None where the rules stay in charge."""

    roles: NeededRoles
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
    """Learn from all opportunities by `now` and keep what was learned, or why it was nothing."""
    from nurture.learning.accounts.fit import headline, learn_account_model
    from nurture.learning.accounts.model import AccountModel, NoAccountModel

    needed, horizon = rules.account.needed_roles, rules.account.horizon_days
    with database.reading(engine) as session:
        since = history.known_since(session)
        opportunities = history.opportunities(session, now)
    looks = _looks(since, opportunities, now, timedelta(days=horizon))
    then = _accounts_then(engine, looks, rules)
    model: AccountModel | NoAccountModel = NoAccountModel(
        "The rules stay in charge of accounts: no account was known a horizon ago."
    )
    if then is not None:
        model = learn_account_model(then, needed, horizon)
    learned = isinstance(model, AccountModel)
    words = headline(model) if isinstance(model, AccountModel) else model.reason
    version = model.version if isinstance(model, AccountModel) else ""
    roles, deals = _roles(engine, opportunities, needed)
    with database.writing(engine) as session:
        body: Mapping[str, object] = model.as_body() if isinstance(model, AccountModel) else {}
        learned_parameter.write(session, LearnedSubject.ACCOUNTS, version, words, body, now)
        roles_version = "" if roles.why_not else f"roles-{now:%Y-%m-%d}"
        learned_parameter.write(session, LearnedSubject.ROLES, roles_version, roles.sentence, roles.as_body(), now)
    opened = sum(len(look.opened) for look in looks)
    return LearnedAccounts(sum(len(look.accounts) for look in looks) if learned else 0, opened, deals, version, words)


def _accounts_then(engine: Engine, looks: Sequence["_Look"], rules: Rules) -> "AccountsThen | None":
    """The accounts of all looks as they were, the oldest first; of quiet ones a sample. None without any."""
    import numpy as np
    import polars as pl

    from nurture.learning.accounts.features import AccountsThen

    quiet = sum(len(look.accounts) - len(look.opened) for look in looks)
    kept = min(1.0, MOST_QUIET / quiet) if quiet else 1.0
    chance, frames, outcomes, moments = np.random.default_rng(0), [], [], []
    for number, look in enumerate(reversed(looks)):
        drawn = chance.random(len(look.accounts))
        some = [one for one, luck in zip(look.accounts, drawn, strict=True) if one in look.opened or luck < kept]
        frame = _as_they_were(engine, some, look.at, rules)
        frames.append(frame)
        outcomes.append(frame["account_id"].is_in(sorted(look.opened)).cast(pl.Float64).to_numpy())
        moments.append(np.full(frame.height, number))
    if not frames:
        return None
    return AccountsThen(pl.concat(frames), np.concatenate(outcomes), np.concatenate(moments), kept)


def known(session: Session, rules: Rules, now: datetime) -> AccountKnowledge:
    """What was learned by `now` and is in force."""
    needed = rules.account.needed_roles
    about_roles = learned_parameter.newest(session, LearnedSubject.ROLES, now)
    roles = (
        missing_roles.read_roles(about_roles.body, needed)
        if about_roles and about_roles.version
        else NeededRoles(needed)
    )
    about_accounts = learned_parameter.newest(session, LearnedSubject.ACCOUNTS, now)
    if not about_accounts or not about_accounts.version:
        return AccountKnowledge(roles)
    from nurture.learning.accounts.model import AccountModel

    return AccountKnowledge(roles, AccountModel.read(about_accounts.body), about_accounts.version)


def with_chances(
    session: Session, found: Sequence[NewAccountScore], learned: AccountKnowledge, rules: Rules, now: datetime
) -> list[NewAccountScore]:
    """Accounts' scores with the chance of those that have no opportunity yet, and its reason before the others."""
    chances: dict[int, tuple[float, str]] = {}
    if learned.model:
        from nurture.learning.accounts.features import account_features

        accounts = [one.account_id for one in found]
        busy = history.with_opportunity(session, accounts, GONE, now)
        free = [one for one in accounts if one not in busy]
        kinds, strong = _kinds(rules)
        members, traits = history.members(session, free, now, kinds, strong), history.traits(session, free, now)
        frame = account_features(members, traits, learned.model.needed, now)
        told = zip(learned.model.chances(frame), learned.model.reasons(frame), strict=True)
        chances = dict(zip(frame["account_id"].to_list(), ((float(p), why) for p, why in told), strict=True))
    return [_with_chance(one, chances.get(one.account_id), learned) for one in found]


def _with_chance(
    score: NewAccountScore, chance: tuple[float, str] | None, learned: AccountKnowledge
) -> NewAccountScore:
    """The score with its chance (0–1, and why), where there is one, and with what the missing role costs."""
    score = score._replace(missing_why=learned.roles.why(score.missing_role))
    if chance is None:
        return score
    return score._replace(
        probability=round(chance[0], 4),
        reasons=[ScoreReason(chance[1], 0, CHANCE), *score.reasons],
        version=f"{score.version}+{learned.version}",
    )


def _looks(
    known: Sequence[KnownAccount], opportunities: Sequence[OpportunityThen], now: datetime, horizon: timedelta
) -> list[_Look]:
    """Earlier moments a horizon apart, the newest first, whose horizons are over: nobody counts as quiet too early."""
    looks = []
    for back in range(1, MOST_MOMENTS + 1):
        at = now - back * horizon
        there = [one.account_id for one in known if one.since <= at]
        if not there:
            break
        busy, opened = set(), set()
        for one in opportunities:
            if one.opened_at > at:
                if one.opened_at <= at + horizon:
                    opened.add(one.account_id)
            elif one.closed_at is None or one.closed_at > at or one.outcome == OpportunityOutcome.WON:
                busy.add(one.account_id)  # under way, or a customer
        free = [account for account in there if account not in busy]
        looks.append(_Look(at, free, opened & set(free)))
    return looks


def _as_they_were(engine: Engine, accounts: list[int], at: datetime, rules: Rules) -> "pl.DataFrame":
    """The features of accounts as of an earlier moment."""
    from nurture.learning.accounts.features import account_features

    kinds, strong = _kinds(rules)
    with database.reading(engine) as session:
        members = history.members(session, accounts, at, kinds, strong)
        return account_features(members, history.traits(session, accounts, at), rules.account.needed_roles, at)


def _kinds(rules: Rules) -> tuple[list[str], list[str]]:
    """What counts as being active, and what as a strong sign: kinds of activity by their points in the file."""
    kinds = rules.markets["b2b"].kinds.values()
    return [one.name for one in kinds if one.points >= 1], [one.name for one in kinds if one.points >= STRONG]


def _roles(engine: Engine, opportunities: Sequence[OpportunityThen], needed: Sequence[str]) -> tuple[NeededRoles, int]:
    """What the closed opportunities teach about the needed roles, and how many of them taught it."""
    closed = {one.id: one for one in opportunities if one.outcome in (OpportunityOutcome.WON, OpportunityOutcome.LOST)}
    with database.reading(engine) as session:
        asked = [history.Deal(one.id, one.account_id, one.opened_at) for one in closed.values()]
        there = history.known_roles(session, asked)
    deals = [ClosedDeal(roles, closed[one].outcome == OpportunityOutcome.WON) for one, roles in there.items()]
    return missing_roles.learn_roles(deals, needed), len(deals)
