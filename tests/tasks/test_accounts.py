"""The chance that an account opens an opportunity: learned point-in-time from the record, said with its reasons."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy import Engine, delete, insert, select, update

from models import Account, AccountScore, Activity, Handoff, LearnedParameter, Opportunity, Score, Segment
from models import handoff as handoffs
from models.queries import account_history as history
from nurture.config import scoring
from nurture.learning.accounts.features import AccountsThen, account_features
from nurture.learning.accounts.fit import learn_account_model
from nurture.learning.accounts.model import AccountModel, NoAccountModel
from nurture.runtime import database
from tasks.handoff import offer
from tasks.scoring.accounts import CHANCE, learn_accounts
from tasks.scoring.scores import score, score_accounts
from tests.support.account_history import DAY, ROLES, a_past
from tests.support.people import add, settle_in

SHIPPED = Path(__file__).parents[2] / "templates" / "scoring.toml"
RULES = scoring.read(SHIPPED)
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
KINDS = ["page_view", "webinar", "pricing_view", "download"]


def accounts(engine: Engine) -> dict[int, dict[str, Any]]:
    with database.reading(engine) as session:
        rows = session.execute(select(*AccountScore.__table__.c)).mappings()  # type: ignore[attr-defined]
        return {row["account_id"]: dict(row) for row in rows}


def learned_parameters(engine: Engine) -> dict[str, dict[str, Any]]:
    with database.reading(engine) as session:
        rows = session.execute(select(*LearnedParameter.__table__.c).order_by(LearnedParameter.id)).mappings()  # type: ignore[attr-defined]
        return {row["subject"]: dict(row) for row in rows}


def test_warm_accounts_get_a_high_chance_and_the_missing_role_its_reason(engine: Engine) -> None:
    a_past(engine, NOW)
    made = {"created_at": NOW - DAY, "updated_at": NOW - DAY}
    add(engine, Account, {"id": 9_001, "key": "empty", "name": "Empty", "traits": {}, **made})
    learned = learn_accounts(engine, NOW, RULES)
    assert learned.version.startswith("accounts-")
    assert learn_accounts(engine, NOW, RULES) == learned
    assert learned.opened >= 40
    assert learned.words.startswith(f"The chance of an account is learned from {learned.opened} opportunities")
    score(engine, NOW, RULES)
    score_accounts(engine, NOW - DAY, RULES)
    assert all(row["probability"] is None for row in accounts(engine).values())  # nothing was learned by then
    score_accounts(engine, NOW, RULES)
    found = accounts(engine)
    with database.reading(engine) as session:
        busy = history.with_opportunity(session, list(found), ("open", "won"), NOW)
    chances = {one: row["probability"] for one, row in found.items()}
    assert {one for one, chance in chances.items() if chance is None} == busy
    ranked = sorted((one for one in chances if one not in busy), key=lambda one: -chances[one])
    assert 0 < chances[ranked[-1]] < 0.1 < 0.3 < chances[ranked[0]] < 1
    best = found[ranked[0]]
    assert best["version"] == f"{RULES.version}+{learned.version}"
    assert best["reasons"][0]["part"] == CHANCE
    assert "likely to open an opportunity within 90 days: " in best["reasons"][0]["text"]
    assert "active" in best["reasons"][0]["text"].partition("held back")[0]
    assert "held back by: " in found[ranked[-1]]["reasons"][0]["text"]
    assert found[9_001]["probability"] < 0.2
    assert "held back by: nobody ever active" in found[9_001]["reasons"][0]["text"]
    lacking = [row for row in found.values() if row["missing_role"] == "finance"]
    assert lacking
    assert all(row["missing_why"].startswith("No finance yet: groups with one won ") for row in lacking)
    assert all(row["missing_why"] is None for row in found.values() if row["missing_role"] is None)


def test_too_few_opportunities_leave_the_rules_in_charge_and_say_so(engine: Engine) -> None:
    a_past(engine, NOW, accounts=40)
    before_any = learn_accounts(engine, NOW - timedelta(days=700), RULES)  # the first are known for 60 days
    assert before_any.words == "The rules stay in charge of accounts: no account was known a horizon ago."
    learned = learn_accounts(engine, NOW, RULES)
    assert learned.version == ""
    assert learned.words.startswith("The rules stay in charge of accounts: of ")
    score_accounts(engine, NOW, RULES)
    for row in accounts(engine).values():
        assert (row["probability"], row["missing_why"], row["version"]) == (None, None, RULES.version)
    assert learned_parameters(engine)["roles"]["words"].startswith("The order of the missing roles stays the file's")


def test_the_future_changes_nothing(engine: Engine) -> None:
    """What is learned and known at a moment stays the same, whatever happens or is written down later."""
    then = NOW - 180 * DAY
    a_past(engine, NOW)
    everybody = list(range(1, 241))

    def all_that_is_known() -> tuple[Any, ...]:
        with database.reading(engine) as session:
            seen = history.members(session, everybody, then, KINDS, KINDS[1:])
            traits = history.traits(session, everybody, then)
        learned = learn_accounts(engine, then, RULES)
        return learned, learned_parameters(engine)["roles"]["body"], sorted(seen, key=str), sorted(traits, key=str)

    before = all_that_is_known()
    assert before[0].version
    with database.writing(engine) as session:
        session.execute(delete(Activity).where(Activity.at > then))
        session.execute(delete(Opportunity).where(Opportunity.opened_at > then))
        turned = update(Opportunity).where(Opportunity.closed_at > then)
        session.execute(turned.values(outcome="won", closed_at=NOW + DAY))
        late = [
            {"dedupe": 10**9 + one, "contact_id": one, "account_id": 1, "kind": "webinar", "at": then + DAY}
            for one in range(1, 60)
        ]
        session.execute(insert(Activity), late)
        session.execute(update(Segment).where(Segment.contact_id < 60).values(role="champion", confirmed_by="Mia"))
    assert all_that_is_known() == before


@pytest.mark.parametrize("why", ["No finance yet: groups with one won 2.1× as often.", None])
def test_sales_read_what_the_missing_role_costs(engine: Engine, why: str | None) -> None:
    settle_in(engine, NOW)
    scored = {"version": "v", "score": 82.0, "reasons": [], "scored_at": NOW}
    add(engine, Score, {"contact_id": 1, "fit": 80, "engagement": 80, "grade": "A1", **scored})
    add(engine, AccountScore, {"account_id": 1, "completeness": 0.6, "missing_role": "finance", "missing_why": why,
                               "members": 2, **scored})  # fmt: skip
    assert offer(engine, NOW).offered == 1
    with database.reading(engine) as session:
        number, context = session.execute(select(Handoff.id, Handoff.context)).one()
        lead = handoffs.handoff_lead(session, number)
    assert context["account"]["missing_why"] == (why or "")
    assert lead
    assert (lead.missing_role, lead.missing_why) == ("finance", why)


@pytest.mark.parametrize(("days", "fits"), [(7, True), (365, True), (6, False), (366, False)])
def test_the_horizon_is_a_line_of_the_file(days: int, fits: bool) -> None:
    text = SHIPPED.read_text("utf-8").replace("[account]", f"[account]\nhorizon_days = {days}")
    if fits:
        assert scoring.read_text(text).account.horizon_days == days
        return
    with pytest.raises(scoring.ScoringRulesError, match=r"toml:\d+: horizon_days is \d+ \(write 7 to 365"):
        scoring.read_text(text)


# without a database


def some_accounts(n: int, seed: int = 0) -> AccountsThen:
    """Accounts at four moments whose chance rises with the people active."""
    rng = np.random.default_rng(seed)
    active = rng.poisson(1.0, n)
    p = 1 / (1 + np.exp(-(active * 1.2 - 3.2)))
    y = (rng.random(n) < p).astype(float)
    members = [
        history.MemberThen(i, 0, "user", 0.8, 1, 1, 0, NOW - DAY)
        for i in range(n) for _ in range(active[i])
    ]  # fmt: skip
    traits = [history.AccountTraits(i, None if i % 3 else 100, 0) for i in range(n)]
    return AccountsThen(account_features(members, traits, ROLES, NOW), y, np.sort(np.arange(n) % 4))


def test_chances_come_true_also_where_only_a_share_of_the_quiet_was_kept() -> None:
    every = some_accounts(4_000)
    frame, y = every.frame, every.y
    keep = (y == 1) | (np.random.default_rng(1).random(len(y)) < 0.25)
    some = AccountsThen(frame.filter(pl.Series(keep)), y[keep], every.moment[keep], kept=0.25)
    model = learn_account_model(some, ROLES, 90)
    assert isinstance(model, AccountModel)
    chances = model.chances(frame)
    assert chances.mean() == pytest.approx(y.mean(), rel=0.1)
    for part in np.array_split(np.argsort(chances, kind="stable"), 4):
        assert abs(chances[part].mean() - y[part].mean()) < 0.05


def test_a_kept_model_says_the_same_again() -> None:
    then = some_accounts(1_500)
    model = learn_account_model(then, ROLES, 90)
    assert isinstance(model, AccountModel)
    again = AccountModel.read(model.as_body())
    assert again.version == model.version
    assert np.array_equal(again.chances(then.frame), model.chances(then.frame))


def test_reasons_point_where_the_chance_moves() -> None:
    then = some_accounts(3_000)
    model = learn_account_model(then, ROLES, 90)
    assert isinstance(model, AccountModel)
    busy, quiet = then.frame.sort("n_active")[-1:], then.frame.sort("n_active")[:1]
    assert model.chances(busy)[0] > model.chances(quiet)[0]
    assert "people active this month" in model.reasons(busy)[0].partition("held back")[0]
    assert "held back by: nobody ever active" in model.reasons(quiet)[0]


def test_nothing_is_learned_from_chance() -> None:
    luck = (np.random.default_rng(5).random(1_000) < 0.2).astype(float)
    stays = learn_account_model(replace(some_accounts(1_000), y=luck), ROLES, 90)
    assert isinstance(stays, NoAccountModel)
    assert "no better than chance" in stays.reason
