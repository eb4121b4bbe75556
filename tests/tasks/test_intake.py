"""A file arrives: what is good is taken once, what is bad is explained, and a no is never forgotten."""

import csv
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlmodel import col

from models import (
    Account,
    Activity,
    Address,
    Contact,
    Opportunity,
    Order,
    Suppression,
)
from models.import_file import Import
from models.queries.suppression import suppress
from nurture.files import mapping
from nurture.files.mapping import MappingError
from nurture.rules.intake.file_mapping import FileMapping
from nurture.runtime import database
from tasks.intake import Imported, import_file

PEOPLE = """
kind = "contacts"
market = "b2b"
consent = "granted"
[columns]
key = "No"
email = "E-mail"
first_name = "First"
title = "Title"
account = "Account"
"""
KEYLESS = 'kind = "contacts"\nmarket = "b2c"\nconsent = "granted"\n[columns]\nemail = "E-mail"\nfirst_name = "First"\n'
HEAD = "No;E-mail;First;Title;Account;Plant\n"
ZOE = "1;zoe@foo.example;Zoë;Head of Maintenance;foo;Kiel\n"
Bring = Callable[..., Imported]


@pytest.fixture
def bring(engine: Engine, now: datetime, tmp_path: Path) -> Bring:
    """Import a text as a file, by a mapping."""

    def bring(
        text: str | bytes, mapped: str | FileMapping = PEOPLE, name: str = "leads.csv", at: datetime = now
    ) -> Imported:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return import_file(
            engine, at, path, mapping.parse(mapped) if isinstance(mapped, str) else mapped, tmp_path / "rejects"
        )

    return bring


def rejects(done: Imported) -> list[dict[str, str]]:
    assert done.rejects_file
    with Path(done.rejects_file).open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        return list(csv.DictReader(file, delimiter=";" if ";" in first else ","))


def every(engine: Engine, table: Any, *columns: str) -> list[tuple[Any, ...]]:
    with database.reading(engine) as session:
        return sorted(tuple(r) for r in session.execute(select(*(col(getattr(table, c)) for c in columns))))


def test_a_contact_arrives_with_its_account_and_everything_else_as_traits(
    engine: Engine, bring: Bring, now: datetime
) -> None:
    done = bring(HEAD + ZOE)
    nothing = {"rejected": 0, "unchanged": 0, "rejects_file": None, "changed": 0, "repeated": 0, "incomplete": 0,
               "suppressed": 0, "left_out": 0, "left_out_file": None,
               "notes": 0, "no_stays": 0, "unread": {}}  # fmt: skip
    assert asdict(done) == {"kind": "contacts", "rows": 1, "good": 1, "created": 1, **nothing}
    [zoe] = every(engine, Contact, "key", "address", "first_name", "title", "stage", "traits")
    assert zoe == ("1", "zoe@foo.example", "Zoë", "Head of Maintenance", "lead", {"Plant": "Kiel"})
    assert every(engine, Contact, "consent", "consent_source", "consent_at") == [("granted", "import", now)]
    [account] = every(engine, Account, "id", "key", "name")
    assert account[1:] == ("foo", "foo")
    assert every(engine, Contact, "account_id") == [account[:1]]
    assert every(engine, Address, "address", "suppressed_at") == [("zoe@foo.example", None)]


def test_the_same_file_twice_changes_nothing_and_says_so(engine: Engine, bring: Bring, now: datetime) -> None:
    text = HEAD + ZOE + "2;ruth@foo.example;Ruth;CFO;foo;\n"
    bring(text)
    before = every(engine, Contact, "id", "key", "updated_at")
    again = bring(text, at=now + timedelta(days=1))
    assert (again.good, again.unchanged, again.created, again.changed) == (2, 2, 0, 0)
    assert every(engine, Contact, "id", "key", "updated_at") == before
    kept = every(engine, Import, "file", "kind", "rows", "good", "rejected", "sha256")
    assert len(kept) == 2
    assert kept[0] == kept[1]
    assert len(kept[0][-1]) == 64


def test_a_later_file_changes_what_it_says_and_leaves_what_it_does_not_say(engine: Engine, bring: Bring) -> None:
    bring(HEAD + ZOE)
    done = bring("No;E-mail;First;Title;Account;Visits\n1;Zoe@Foo.example;;Plant Director;;3\n")
    assert (done.changed, done.created) == (1, 0)
    [row] = every(engine, Contact, "first_name", "title", "email", "address", "traits")
    assert row == ("Zoë", "Plant Director", "Zoe@Foo.example", "zoe@foo.example", {"Plant": "Kiel", "Visits": 3})


def test_bad_rows_are_explained_and_good_ones_taken(engine: Engine, bring: Bring) -> None:
    done = bring(
        HEAD
        + "1;zoe@foo,example;Zoë;;foo;\n"
        + "2;ruth@foo.example;Ruth;CFO;foo;\n"
        + '3;"multi\nline@foo.example";X;;foo;\n'
        "4;;Nobody;;foo;\n"
        + "5;ana@foo.example;Ana\n"
        + "6;bo@foo.example;Bo;;foo;;;more\n"
        + "7;cy@foo.example;Cy;;foo;;;\n"
    )
    assert (done.rows, done.good, done.rejected) == (7, 2, 5)
    assert [a for (a,) in every(engine, Contact, "address")] == ["cy@foo.example", "ruth@foo.example"]
    found = rejects(done)
    assert [(r["nurture: line"], r["nurture: column"]) for r in found] == [
        ("2", "E-mail"),
        ("4", "E-mail"),
        ("6", "E-mail"),
        ("7", ""),
        ("8", ""),
    ]
    assert "a comma stands where a dot is meant" in found[0]["nurture: reason"]
    assert "a contact needs an e-mail address" in found[2]["nurture: reason"]
    assert "the row has 3 cells, the header 6" in found[3]["nurture: reason"]
    assert "quote a cell that has a separator inside" in found[4]["nurture: reason"]
    assert found[0]["First"] == "Zoë"


def test_a_mended_rejects_file_is_imported_as_it_is(engine: Engine, bring: Bring) -> None:
    text = "No;E-mail;First;Title;Account;Plant\n1;zoe@foo,example;Zoë;=SUM(A1);foo;'+49\n"
    first = bring(text)
    assert first.rejects_file
    report = Path(first.rejects_file).read_bytes()
    assert b"'=SUM(A1)" in report  # a spreadsheet shows it instead of running it
    done = bring(report.replace(b"zoe@foo,example", b"zoe@foo.example"), name="leads.rejects-20260302-080000.csv")
    assert (done.good, done.rejected) == (1, 0)
    assert every(engine, Contact, "address", "title", "traits") == [("zoe@foo.example", "=SUM(A1)", {"Plant": "'+49"})]


def test_rejects_never_overwrite_a_file_that_somebody_may_be_mending(bring: Bring) -> None:
    names = [Path(str(bring(HEAD + "1;;;;;\n").rejects_file)).name for _ in range(2)]
    assert names == ["leads.rejects-20260302-080000.csv", "leads.rejects-20260302-080000-2.csv"]
    again = bring(HEAD + "1;;;;;\n", name="leads.rejects-20260302-080000-2.csv")
    assert Path(str(again.rejects_file)).name == "leads.rejects-20260302-080000-3.csv"
    assert Path(str(again.rejects_file)).stat().st_mode & 0o077 == 0  # it names people


def test_a_bad_cell_that_is_not_needed_costs_only_itself(engine: Engine, bring: Bring) -> None:
    mapped = PEOPLE + 'country = "Country"\ncreated_at = "Since"\n'
    done = bring("No;E-mail;First;Title;Account;Country;Since;Note\n"
                 f"1;zoe@foo.example;Zoë;;foo;Atlantis;31.02.2025;{'x' * 20_000}\n", mapped)  # fmt: skip
    assert (done.good, done.rejected, done.incomplete) == (1, 0, 1)
    [row] = rejects(done)
    assert row["nurture: outcome"] == "imported without it"
    assert row["nurture: column"] == "Country | Since | Note"
    assert "February 2025 has 28 days" in row["nurture: reason"]
    assert "(20,000 characters)" in row["nurture: value"]
    assert every(engine, Contact, "address", "country", "traits") == [("zoe@foo.example", None, {})]


@pytest.mark.parametrize("cell", ["a\0b", "x" * (10 << 20)], ids=["NUL", "10 MB"])
def test_a_cell_no_database_would_like_is_explained(engine: Engine, bring: Bring, cell: str) -> None:
    done = bring(HEAD + f"1;zoe@foo.example;{cell};;foo;\n" + "2;ruth@foo.example;Ruth;;foo;\n")
    assert (done.good, done.rejected, done.incomplete) == (2, 0, 1)
    assert every(engine, Contact, "address", "first_name") == [("ruth@foo.example", "Ruth"), ("zoe@foo.example", None)]


def test_the_first_of_two_rows_for_one_mailbox_is_taken_and_the_other_is_reported(engine: Engine, bring: Bring) -> None:
    done = bring(HEAD + ZOE + "9;ZOE@foo.example;Zoe;;foo;\n" + ZOE + "1;other@foo.example;Zoë;;foo;\n")
    assert (done.rows, done.good, done.rejected, done.repeated) == (4, 2, 2, 1)
    assert every(engine, Contact, "key", "address", "first_name") == [("1", "zoe@foo.example", "Zoë")]
    by_mail, by_key = rejects(done)
    assert "stands in line 2 already" in by_mail["nurture: reason"]
    assert by_key["nurture: column"] == "No"


def test_it_does_not_matter_how_far_apart_the_two_rows_are(engine: Engine, bring: Bring) -> None:
    crowd = "".join(f"{n};p{n}@foo.example;P;;foo;\n" for n in range(100, 12_100))
    text = HEAD + ZOE + crowd + "9;zoe@foo.example;Zoe;;foo;\n"
    assert (bring(text).rejected, bring(text).unchanged) == (1, 12_001)
    assert rejects(bring(text))[0]["nurture: reason"].startswith("stands in line 2 already")


def test_cells_that_could_not_be_read_are_counted_by_column(bring: Bring) -> None:
    mapped = PEOPLE + 'created_at = "Since"\ncountry = "Land"\n'
    lines = "".join(f"{n};p{n}@foo.example;P;;foo;{'soon' if n % 2 else '2026-01-01'};Atlantis\n" for n in range(6))
    done = bring("No;E-mail;First;Title;Account;Since;Land\n" + lines, mapped)
    assert (done.good, done.rejected, done.incomplete) == (6, 0, 6)
    assert done.unread == {"Since": 3, "Land": 6}
    assert len(rejects(done)) == 6


def test_rows_that_are_left_out_stand_in_a_file_of_their_own(bring: Bring) -> None:
    mapped = PEOPLE + '[rows.unless]\nPlant = ["closed", ""]\n'
    other = ZOE.replace("1;zoe", "2;ruth")
    done = bring(
        HEAD + ZOE + other.replace("Kiel", "Closed") + other.replace("Kiel", "") + ZOE + "\nTotal;;;;;\n", mapped
    )
    assert (done.rows, done.good, done.left_out, done.repeated, done.notes) == (4, 2, 2, 1, 1)
    assert done.left_out_file
    text = Path(done.left_out_file).read_text("utf-8-sig")
    assert text.count("the mapping leaves it out") == 2
    assert text.count("says what line 2 says already") == 1
    assert done.rejects_file is None


def test_only_rows_that_meet_the_condition_are_imported(bring: Bring) -> None:
    mapped = PEOPLE + '[rows.where]\nPlant = "*"\n'
    assert bring(HEAD + ZOE + ZOE.replace("1;zoe", "2;ruth").replace("Kiel", ""), mapped).left_out == 1


def test_a_yes_of_somebody_who_said_no_is_counted(bring: Bring) -> None:
    head = "No;E-mail;First;Title;Account;OK;Left\n"
    bring(head + "1;zoe@foo.example;Zoë;;foo;no;\n", ASKED)
    assert bring(head + "1;zoe@foo.example;Zoë;;foo;yes;\n", ASKED).no_stays == 1


def test_an_address_under_another_key_is_refused(engine: Engine, bring: Bring) -> None:
    bring(HEAD + ZOE)
    done = bring(HEAD + "2;zoe@foo.example;Zoe;;foo;\n")
    assert done.rejected == 1
    assert "is the address of contact 1 already" in rejects(done)[0]["nurture: reason"]
    assert every(engine, Contact, "key", "first_name") == [("1", "Zoë")]


def test_a_contact_that_came_without_a_key_gets_it_later(engine: Engine, bring: Bring) -> None:
    bring("E-mail;First\nzoe@foo.example;Zoë\n", KEYLESS.replace("b2c", "b2b"))
    assert every(engine, Contact, "key") == [("zoe@foo.example",)]
    assert bring(HEAD + ZOE).changed == 1
    assert every(engine, Contact, "key", "address") == [("1", "zoe@foo.example")]
    assert bring("E-mail;First\nzoe@foo.example;Zoë\n", KEYLESS.replace("b2c", "b2b")).unchanged == 1


def test_somebody_may_wear_two_hats(engine: Engine, bring: Bring) -> None:
    bring(HEAD + ZOE)
    assert bring("E-mail;First\nzoe@foo.example;Zoë\n", KEYLESS).created == 1
    assert every(engine, Contact, "market", "stage") == [("b2b", "lead"), ("b2c", "aware")]
    assert len(every(engine, Address, "address")) == 1


ASKED = PEOPLE.replace('consent = "granted"\n', "") + 'consent = "OK"\nunsubscribed = "Left"\n'


def test_a_no_suppresses_and_no_import_takes_it_back(engine: Engine, bring: Bring, now: datetime) -> None:
    head = "No;E-mail;First;Title;Account;OK;Left\n"
    bring(
        head
        + "1;zoe@foo.example;Zoë;;foo;yes;\n2;ruth@foo.example;Ruth;;foo;no;\n"
        + "3;ivan@foo.example;Ivan;;foo;;x\n4;a@foo.example;A;;foo;;\n",
        ASKED,
    )
    assert every(engine, Contact, "key", "consent") == [
        ("1", "granted"),
        ("2", "withdrawn"),
        ("3", "withdrawn"),
        ("4", "unknown"),
    ]
    stopped = [("ivan@foo.example", "unsubscribe"), ("ruth@foo.example", "unsubscribe")]
    assert every(engine, Suppression, "address", "why", "heard_from") == [(*s, "import") for s in stopped]
    done = bring(head + "1;zoe@foo.example;Zoë;;foo;?;\n2;ruth@foo.example;Ruth;;foo;yes;\n"
                 + "3;ivan@foo.example;Ivan;;foo;yes;no\n4;a@foo.example;A;;foo;yes;\n",
                 ASKED, at=now + timedelta(days=1))  # fmt: skip
    assert (done.changed, done.unchanged) == (1, 3)  # only the one nobody had asked
    assert every(engine, Contact, "key", "consent") == [
        ("1", "granted"),
        ("2", "withdrawn"),
        ("3", "withdrawn"),
        ("4", "granted"),
    ]
    assert [a for a, s in every(engine, Address, "address", "suppressed_why") if s] == [a for a, _ in stopped]


def test_a_no_is_heeded_in_a_row_that_is_otherwise_left_out(engine: Engine, bring: Bring) -> None:
    head = "No;E-mail;First;Title;Account;OK;Left\n"
    bring(head + "1;zoe@foo.example;Zoë;;foo;yes;\n9;zoe@foo.example;Z.;;foo;no;\n", ASKED)
    assert every(engine, Contact, "consent") == [("withdrawn",)]
    assert every(engine, Address, "suppressed_why") == [("unsubscribe",)]


def test_an_answer_nobody_understands_is_never_a_yes(engine: Engine, bring: Bring) -> None:
    done = bring("No;E-mail;First;Title;Account;OK;Left\n1;zoe@foo.example;Zoë;;foo;ask Ruth;\n", ASKED)
    assert done.rejected == 1
    assert '[values.consent] "ask Ruth"' in rejects(done)[0]["nurture: reason"]
    assert every(engine, Contact, "consent") == []


@pytest.mark.parametrize(
    ("why", "follows"), [("unsubscribe", True), ("complaint", True), ("person", True), ("bounce", False)]
)
def test_a_stop_goes_along_to_a_new_address(
    engine: Engine, bring: Bring, now: datetime, why: str, follows: bool
) -> None:
    bring(HEAD + ZOE)
    with database.writing(engine) as session:
        suppress(session, ["zoe@foo.example"], why, "test", now)
    done = bring(HEAD + ZOE.replace("zoe@foo", "zoe@new"))
    assert done.changed == 1
    assert every(engine, Contact, "address") == [("zoe@new.example",)]
    assert dict(every(engine, Address, "address", "suppressed_why")) == {
        "zoe@foo.example": why,
        "zoe@new.example": why if follows else None,
    }


def test_a_bounced_address_stays_suppressed_when_it_is_imported_again(
    engine: Engine, bring: Bring, now: datetime
) -> None:
    bring(HEAD + ZOE)
    with database.writing(engine) as session:
        suppress(session, ["zoe@foo.example"], "bounce", "test", now)
    bring(HEAD + ZOE)
    assert every(engine, Address, "suppressed_why") == [("bounce",)]


def test_a_contact_without_an_account_belongs_where_its_mail_comes_from(engine: Engine, bring: Bring) -> None:
    bring("Key,Name,Web\nA1,Foo & Søns <GmbH>,https://www.foo.example/\n",
          'kind = "accounts"\n[columns]\nkey = "Key"\nname = "Name"\ndomain = "Web"\n')  # fmt: skip
    bring("E-mail;First\nzoe@foo.example;Zoë\nann@else.example;Ann\n", KEYLESS.replace("b2c", "b2b"))
    [(account,)] = every(engine, Account, "id")
    assert [(a, i) for a, i in every(engine, Contact, "address", "account_id")] == [
        ("ann@else.example", None),
        ("zoe@foo.example", account),
    ]


DID = 'kind = "activities"\n[columns]\ncontact = "Who"\nkind = "What"\nat = "When"\ndetail = "Page"\nmarket = "Hat"\n'
DID_HEAD = "Who,What,When,Page,Hat\n"


def test_activities_are_added_once(engine: Engine, bring: Bring) -> None:
    bring(HEAD + ZOE)
    text = DID_HEAD + "1,Page view,2026-03-01T09:00:00Z,/pricing,\nZoe@foo.example,webinar,2026-03-01 10:00,,b2b\n"
    assert bring(text, DID).created == 2
    again = bring(text, DID)
    assert (again.created, again.unchanged, again.good) == (0, 2, 2)
    [(account, kind, at, detail), (_, second, _, _)] = sorted(
        every(engine, Activity, "account_id", "kind", "at", "detail"), key=lambda r: r[2]
    )
    assert (kind, at, detail) == ("page_view", datetime(2026, 3, 1, 9, tzinfo=UTC), "/pricing")
    assert second == "webinar"
    assert every(engine, Account, "id") == [(account,)]


def test_activities_of_strangers_and_of_tomorrow_wait_in_the_rejects(engine: Engine, bring: Bring) -> None:
    bring(HEAD + ZOE)
    done = bring(DID_HEAD + "2,page_view,2026-03-01T09:00:00Z,/,\n1,page_view,2206-03-01T09:00:00Z,/,\n"
                 "1,page_view,2026-02-30,/,\n"
                 "1,page_view,2026-03-01,/,b2c\n", DID)  # fmt: skip
    assert (done.good, done.rejected) == (0, 4)
    assert [r["nurture: column"] for r in rejects(done)] == ["Who", "When", "When", "Who"]
    bring(HEAD + "2;ruth@foo.example;Ruth;;foo;\n")
    mended = Path(str(done.rejects_file)).read_bytes()
    assert bring(mended, DID, name="again.csv").created == 1


SOLD = """
kind = "orders"
[file]
decimal = ","
[columns]
contact = "Who"
at = "When"
amount = "Sum"
key = "No"
currency = "In"
"""


def test_orders_are_known_by_their_number(engine: Engine, bring: Bring) -> None:
    bring("E-mail;First\nzoe@foo.example;Zoë\n", KEYLESS)
    head = "No;Who;When;Sum;In\n"
    assert (
        bring(head + "B1;zoe@foo.example;2026-01-02;1.234,50;€\nB2;zoe@foo.example;2026-01-03;5;CHF\n", SOLD).created
        == 2
    )
    assert every(engine, Order, "key", "amount_cents", "currency") == [("B1", 123450, "EUR"), ("B2", 500, "CHF")]
    done = bring(
        head
        + "B1;zoe@foo.example;2026-01-02;1.200,00;€\nB2;zoe@foo.example;2026-01-03;5;CHF\n"
        + "B3;ruth@foo.example;2026-01-03;5;\n",
        SOLD,
    )
    assert (done.changed, done.unchanged, done.rejected) == (1, 1, 1)
    assert every(engine, Order, "key", "amount_cents")[0] == ("B1", 120000)


def test_orders_without_numbers_are_known_by_what_they_say(engine: Engine, bring: Bring) -> None:
    bring("E-mail;First\nzoe@foo.example;Zoë\n", KEYLESS)
    text = "No;Who;When;Sum;In\n;zoe@foo.example;2026-01-02;9,90;\n;zoe@foo.example;2026-01-05;9,90;\n"
    assert bring(text, SOLD).created == 2
    assert bring(text, SOLD).unchanged == 2


DEALS = """
kind = "opportunities"
[columns]
key = "Deal"
account = "Account"
contact = "Who"
outcome = "State"
opened_at = "From"
"""


def test_deals_belong_to_known_accounts(engine: Engine, bring: Bring) -> None:
    bring(HEAD + ZOE)
    head = "Deal,Account,Who,State,From,Lost because\n"
    done = bring(
        head
        + "D1,foo,1,closed lost,2026-01-01,price\nD2,bar,,open,2026-01-01,\n"
        + "D3,foo,7,open,2026-01-01,\nD4,foo,,,2026-01-01,\n",
        DEALS,
    )
    assert (done.created, done.rejected) == (2, 2)
    assert every(engine, Opportunity, "key", "name", "outcome", "traits") == [
        ("D1", "D1", "lost", {"Lost because": "price"}),
        ("D4", "D4", "open", {}),
    ]
    assert [r["nurture: column"] for r in rejects(done)] == ["Account", "Who"]
    assert bring(head + "D1,foo,1,won,2026-01-01,\n", DEALS).changed == 1


def test_dates_that_could_be_two_days_stop_the_file_before_anything_is_written(engine: Engine, bring: Bring) -> None:
    bring(HEAD + ZOE)
    text = DID_HEAD + "1,page_view,25/02/2026,/,\n1,page_view,03/02/2026,/,\n1,page_view,05/02/2026,/,\n"
    with pytest.raises(MappingError) as error:
        bring(text, DID)
    assert '"When" of leads.csv has dates that could be two days, such as 03/02/2026 (2 lines: 3, 4)' in str(
        error.value
    )
    assert 'dates = "day-first" (day 03, month 02)' in str(error.value)
    assert every(engine, Activity, "kind") == []
    assert bring(text, DID + '[file]\ndates = "day-first"\n').created == 3


def test_the_whole_file_is_refused_when_a_column_is_missing(engine: Engine, bring: Bring) -> None:
    with pytest.raises(MappingError, match='no such column\n  Did you mean "E-Mail"'):
        bring("No;E-Mail;First;Title;Account\n")
    assert every(engine, Import, "file") == []


def test_a_header_alone_is_a_file_with_nothing_in_it(engine: Engine, bring: Bring) -> None:
    done = bring(HEAD)
    assert (done.rows, done.good, done.rejected, done.rejects_file) == (0, 0, 0, None)


def test_progress_is_told_in_rows_and_bytes(engine: Engine, now: datetime, tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(HEAD + "".join(f"{n};p{n}@foo.example;P;;foo;\n" for n in range(12_000)))
    reported: list[tuple[int, int, int]] = []
    import_file(engine, now, path, mapping.parse(PEOPLE), tmp_path, lambda *said: reported.append(said))
    size = path.stat().st_size
    assert [rows for rows, _, _ in reported] == [5_000, 10_000, 12_000, 12_000]
    assert reported == sorted(reported)
    assert reported[-1] == (12_000, size, size)
