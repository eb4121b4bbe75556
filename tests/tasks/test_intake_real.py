"""Real files of strangers, with our mappings for them. They are not ours to commit: ../shared/data, where it exists."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlmodel import col

from models import Contact, Opportunity, Order
from nurture.files import mapping
from nurture.runtime import database
from tasks.intake import import_file

PROJECT = Path(__file__).parents[2]
DATA = PROJECT.parent / "shared" / "data"

pytestmark = [
    pytest.mark.hunt,  # tens of thousands of rows, on both databases: a minute and a half
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the real data sets are not here: no folder {DATA}"),
]


def bring(engine: Engine, now: datetime, file: str, by: str, rejects: Path) -> tuple[int, int, int, int]:
    done = import_file(
        engine, now, DATA / f"{file}.csv.gz", mapping.read(PROJECT / "examples" / "mappings" / f"{by}.toml"), rejects
    )
    return done.rows, done.good, done.created, done.unchanged


def test_the_leads_of_a_marketplace_and_what_became_of_them(engine: Engine, now: datetime, tmp_path: Path) -> None:
    for by in ("olist_mql_accounts", "olist_mql_funnel", "olist_mql_deals"):
        assert bring(engine, now, "olist_mql_funnel", by, tmp_path) == (8000, 8000, 8000, 0)
        assert bring(engine, now, "olist_mql_funnel", by, tmp_path) == (8000, 8000, 0, 8000)
    with database.reading(engine) as session:
        won = select(func.count()).where(col(Opportunity.outcome) == "won")
        assert session.execute(won).scalar() == 842
        lead = select(Contact.__table__).where(col(Contact.key) == "dac32acd4d")  # type: ignore[attr-defined]
        row = session.execute(lead).mappings().one()
    assert row["created_at"] == datetime(2018, 2, 1, tzinfo=UTC)
    assert row["traits"] == {"landing_page_id": "88740e65d5", "origin": "Social"}
    assert row["account_id"] is not None


def test_the_orders_of_a_record_shop(engine: Engine, now: datetime, tmp_path: Path) -> None:
    assert bring(engine, now, "cdnow_transactions", "cdnow_customers", tmp_path) == (69_659, 69_659, 23_570, 0)
    assert bring(engine, now, "cdnow_transactions", "cdnow_transactions", tmp_path) == (69_659, 69_659, 69_659, 0)
    with database.reading(engine) as session:
        total, first = session.execute(select(func.sum(Order.amount_cents), func.min(Order.at))).one()
    assert total == 250_031_563
    assert first.astimezone(UTC) == datetime(1997, 1, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(("name", "rows"), [("hillstrom_email", 64_000), ("bank_marketing", 41_188)])
def test_customers_without_a_name(engine: Engine, now: datetime, tmp_path: Path, name: str, rows: int) -> None:
    assert bring(engine, now, name, name, tmp_path) == (rows, rows, rows, 0)
    with database.reading(engine) as session:
        traits = session.execute(select(col(Contact.traits)).order_by(col(Contact.id)).limit(1)).scalar_one()
    assert "duration" not in traits
    assert len(traits) == {"hillstrom_email": 12, "bank_marketing": 20}[name]
