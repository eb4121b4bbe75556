"""The example company: the same every time, complete enough to show everything, and importable as it is."""

import csv
from collections import Counter
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, func, select
from sqlmodel import col

from models import Account, Contact
from nurture.files import mapping
from nurture.runtime import database
from nurture.runtime.settings import Settings
from nurture.simulation.company import TODAY, make_company, write_files
from tasks.intake import import_file

EXAMPLES = Path(__file__).parents[2] / "examples"
KINDS = ("accounts", "contacts", "consumers", "activities", "orders", "opportunities")


def test_the_committed_files_are_what_the_generator_makes(tmp_path: Path) -> None:
    for path in write_files(tmp_path):
        assert path.read_bytes() == (EXAMPLES / "data" / path.name).read_bytes(), (
            f"run python -m nurture.simulation: {path.name}"
        )


def test_another_seed_makes_other_people(tmp_path: Path) -> None:
    ours, other = make_company(), make_company(1)
    assert len(ours.shoppers) == len(other.shoppers) == 2000
    assert [c.email for c in ours.contacts] != [c.email for c in other.contacts]


def test_there_is_somebody_for_everything_the_demo_shows() -> None:
    example = make_company()
    assert len(example.accounts) == 60
    groups = Counter(c.account for c in example.contacts)
    assert set(groups.values()) <= {5, 6, 7}
    assert {c.role for c in example.contacts} == {
        "specifier",
        "authorizer",
        "user",
        "purchaser",
        "finance",
        "gatekeeper",
    }
    assert (
        {c.language for c in example.contacts}
        == {s.language for s in example.shoppers}
        == {"en", "es", "ro", "zh", "de"}
    )
    assert {c.consent for c in example.contacts} == {"yes", "unknown", "withdrawn"}
    assert len({c.email for c in example.contacts} & {s.email for s in example.shoppers}) == 3  # two hats
    assert ("Zoë", "O'Brien", "Head of Maintenance", "Foo & Søns <GmbH>") in {
        (c.person.first, c.person.last, c.title, c.company.name) for c in example.contacts
    }


def test_the_seller_is_none_of_its_own_accounts() -> None:
    ours = Settings(_env_file=None).company  # type: ignore[call-arg]
    assert ours not in {company.name for _, company, _ in make_company().accounts}


def test_nothing_has_happened_before_the_first_morning() -> None:
    with (EXAMPLES / "data" / "activities.csv").open(newline="") as file:
        when = [row["when"] for row in csv.DictReader(file)]
    assert max(when) < TODAY.isoformat()
    assert len(when) > 3000


def test_the_files_stay_small_enough_to_be_cloned() -> None:
    assert sum(p.stat().st_size for p in (EXAMPLES / "data").iterdir()) < 1_500_000


def test_every_file_is_imported_by_its_mapping(engine: Engine, now: datetime, tmp_path: Path) -> None:
    done = {
        kind: import_file(
            engine,
            now,
            EXAMPLES / "data" / f"{kind}.csv",
            mapping.read(EXAMPLES / "mappings" / f"{kind}.toml"),
            tmp_path,
        )
        for kind in KINDS
    }
    assert {kind: d.rejected for kind, d in done.items()} == {
        "accounts": 0, "contacts": 5, "consumers": 3, "activities": 2, "orders": 2, "opportunities": 0,
    }  # fmt: skip
    assert done["contacts"].incomplete == 2
    with database.reading(engine) as session:
        orphans = select(func.count()).where(col(Contact.market) == "b2b", col(Contact.account_id).is_(None))
        assert session.execute(orphans).scalar() == 0
        assert session.execute(select(func.count()).select_from(Account)).scalar() == 60
