"""What the account model looks at: people, roles, engagement, size and the past of an account, a row each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from models.queries.account_history import AccountTraits, MemberThen
from nurture.learning.metrics import Floats, Ints

NEVER = 365.0  # days of silence from which on they are all the same

PARTS: dict[str, str] = {  # feature → the part of the reason it belongs to
    "people": "group", "completeness": "group", "active": "did", "times_30": "did", "times_90": "did",
    "strong_90": "did", "silent": "did", "employees": "company", "lost": "past",
}  # fmt: skip


@dataclass(frozen=True)
class AccountsThen:
    """Accounts as they were at earlier points in time, n rows.

    `frame` has the rows of `account_features`; `y`, shape (n,), is 1.0 where the account opened an opportunity within
    the horizon, else 0.0; `moment`, shape (n,), numbers the point in time each row was true at, growing with time;
    `kept` is the share of the quiet accounts that are in the frame at all.
    """

    frame: pl.DataFrame
    y: Floats
    moment: Ints
    kept: float = 1.0


def account_features(
    members: Sequence[MemberThen], traits: Sequence[AccountTraits], needed: Sequence[str], now: datetime
) -> pl.DataFrame:
    """A row per account of `traits`, in their order: account_id, what the model reads, and the plain counts it words.

    Nothing later than `now` may be in `members` and `traits`.
    """
    roles = [f"role_{role}" for role in needed]
    counts = pl.col("n_people", "n_active", "n_30", "n_90", "n_strong", *roles)
    whole = (
        _traits_frame(traits)
        .join(_by_account(members, needed, now), on="account_id", how="left", maintain_order="left")
        .with_columns(counts.fill_null(0))
    )
    return whole.with_columns(
        people=pl.col("n_people").cast(pl.Float64).log1p(),
        completeness=pl.mean_horizontal(roles),
        active=pl.col("n_active").cast(pl.Float64).log1p(),
        times_30=pl.col("n_30").cast(pl.Float64).log1p(),
        times_90=pl.col("n_90").cast(pl.Float64).log1p(),
        strong_90=pl.col("n_strong").cast(pl.Float64).log1p(),
        silent=pl.col("days").fill_null(NEVER).clip(0.0, NEVER).log1p(),
        employees=pl.col("n_employees").cast(pl.Float64).log1p(),
        lost=(pl.col("n_lost") > 0).cast(pl.Float64),
    )


def _by_account(members: Sequence[MemberThen], needed: Sequence[str], now: datetime) -> pl.DataFrame:
    """The people of each account counted: how many, how active, and per needed role how sure we are to have it."""
    people = pl.DataFrame(
        [
            (m.account_id, m.title_role, m.role_confidence or 0.0, int(m.times_30), int(m.times_90), int(m.strong_90),
             None if m.last_at is None else (now - m.last_at).total_seconds() / 86_400)
            for m in members
        ],
        schema={"account_id": pl.Int64, "role": pl.String, "sure": pl.Float64, "t30": pl.Int64, "t90": pl.Int64,
                "s90": pl.Int64, "days": pl.Float64},
        orient="row",
    )  # fmt: skip
    held = [pl.col("sure").filter(pl.col("role") == role).max().fill_null(0.0).alias(f"role_{role}") for role in needed]
    return people.group_by("account_id").agg(
        pl.len().alias("n_people"),
        (pl.col("t30") > 0).sum().alias("n_active"),
        pl.col("t30").sum().alias("n_30"),
        pl.col("t90").sum().alias("n_90"),
        pl.col("s90").sum().alias("n_strong"),
        pl.col("days").min().alias("days"),
        *held,
    )


def _traits_frame(traits: Sequence[AccountTraits]) -> pl.DataFrame:
    return pl.DataFrame(
        [(one.account_id, one.employees, int(one.lost)) for one in traits],
        schema={"account_id": pl.Int64, "n_employees": pl.Int64, "n_lost": pl.Int64},
        orient="row",
    )
