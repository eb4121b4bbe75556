"""A no is never lost: wherever in a file it stands, the address is suppressed before anything is imported."""

import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlmodel import col

from models import Address, Contact
from nurture.files import mapping
from nurture.files.reader import open_file
from nurture.rules.intake.refusals import RefusalReader, addresses_in
from nurture.runtime import database
from tasks.intake import import_file

MAPPED = """
kind = "contacts"
[columns]
key = "Id"
email = "Email"
consent = "OK"
"""
WIDE = MAPPED.replace('consent = "OK"', 'consent = "OK"\nunsubscribed = "Unsub"\nmarket = "Market"')
Bring = Callable[..., None]


@pytest.fixture
def bring(engine: Engine, now: datetime, tmp_path: Path) -> Bring:
    def bring(text: str, mapped: str = 'market = "b2c"' + MAPPED) -> None:
        path = tmp_path / "list.csv"
        path.write_text(text)
        import_file(engine, now, path, mapping.parse(mapped), tmp_path / "rejects")

    return bring


def suppressed(engine: Engine) -> dict[str, str]:
    with database.reading(engine) as session:
        rows = session.execute(select(col(Address.address), col(Address.suppressed_why))).all()
    return {address: why for address, why in rows if why}


def test_a_no_under_another_key_stops_the_address(engine: Engine, bring: Bring) -> None:
    bring("Id,Email,OK\nK1,pat@shared.example,yes\nK2,quin@shared.example,yes\n")
    bring("Id,Email,OK\nK9,pat@shared.example,no\n")
    assert suppressed(engine) == {"pat@shared.example": "unsubscribe"}
    with database.reading(engine) as session:
        known = {a: c for a, c in session.execute(select(col(Contact.address), col(Contact.consent)))}  # noqa: C416
    assert known == {"pat@shared.example": "withdrawn", "quin@shared.example": "granted"}


def test_a_no_under_a_key_that_stands_twice_stops_the_new_address(engine: Engine, bring: Bring) -> None:
    bring("Id,Email,OK\n7.4E+12,one@sci.example,yes\n7.4E+12,two@sci.example,no\n")
    assert suppressed(engine) == {"two@sci.example": "unsubscribe"}
    bring("Id,Email,OK\n7400000000002,two@sci.example,yes\n")
    assert suppressed(engine) == {"two@sci.example": "unsubscribe"}


def test_a_no_in_a_faulty_or_ragged_row_stops_the_address(engine: Engine, bring: Bring) -> None:
    bring(
        "Id,Email,OK,Unsub,Market\n1,one@c.example,no,,shop\n2,two@c.example,no,perhaps,b2c\n"
        "3,three@c.example,no,,b2c,surplus\n4,four@c.example,no\n5,five@c.example,yes,,b2c\n"
        "6,six@c.example and sixth@c.example,no,,b2c\n",
        WIDE,
    )
    stopped = {f"{name}@c.example" for name in ("one", "two", "three", "four", "six", "sixth")}
    assert suppressed(engine) == dict.fromkeys(stopped, "unsubscribe")


def test_a_bounce_stops_the_mailbox_and_a_complaint_the_person(engine: Engine, bring: Bring) -> None:
    mapped = (
        'kind = "contacts"\nmarket = "b2c"\nconsent = "unknown"\n'
        '[columns]\nemail = "E"\nbounced = "B"\ncomplained = "C"\n'
    )
    bring("E,B,C\na@x.example,550 5.1.1 gone,\nb@x.example,,yes\nc@x.example,no,no\n", mapped)
    assert suppressed(engine) == {"a@x.example": "bounce", "b@x.example": "complaint"}


def test_an_unsubscribe_among_activities_stops_also_a_stranger(engine: Engine, bring: Bring) -> None:
    mapped = 'kind = "activities"\n[columns]\ncontact = "email"\nkind = "event"\nat = "when"\n'
    bring("email,event,when\na@x.example,group_unsubscribe,2026-03-01\nb@x.example,click,2026-03-01\n", mapped)
    assert suppressed(engine) == {"a@x.example": "unsubscribe"}


def test_a_no_said_twice_is_recorded_once(engine: Engine, bring: Bring) -> None:
    from models import Suppression

    for _ in range(2):
        bring("Id,Email,OK\n1,one@c.example,no\n2,one@c.example,no\n")
    with database.reading(engine) as session:
        assert len(session.execute(select(col(Suppression.address))).all()) == 1


def test_every_address_of_a_cell_is_found() -> None:
    assert addresses_in("one@x.example / two@x.example;") == ["one@x.example", "two@x.example"]
    assert addresses_in("mailto:Three@X.example;") == ["three@x.example"]
    assert addresses_in("Zoë <zoe@x.example>, four@x.example.") == ["zoe@x.example", "four@x.example"]
    assert addresses_in("nobody") == []


# any file: good, bad, ragged, duplicated lines in any order, encoding and separator

ENCODINGS = ("utf-8", "utf-8-sig", "cp1252", "utf-16")
SEPARATORS = (",", ";", "\t", "|")
FAULTS = ("good", "extra", "before", "cut", "shifted", "stray", "unclosed", "bad market", "twice", "other key", "lines")


def line_of(fault: str, n: int, ok: str, separator: str) -> tuple[str, str]:
    """One row of Id, Name, Email, OK, Market, Note with a fault, and the address in it."""
    address = f"p{n}@x{n % 7}.example"
    cells = [f"K{n}", f"Zoë {n}", address, ok, "b2c", "Größe"]
    if fault == "extra":
        cells[5] = f"called us{separator} angry"
    elif fault == "before":
        cells[1] = f"O'Brien{separator} Zoë"
    elif fault == "cut":
        cells = cells[:4]
    elif fault == "shifted":
        del cells[1]
    elif fault == "stray":
        cells[1] = 'Zoë "Z" O'
        cells[5] = '"5" pipe"'
    elif fault == "unclosed":
        cells[5] = '"never closed'
    elif fault == "bad market":
        cells[4] = "shop"
    elif fault == "twice":
        cells[0] = "K0"
    elif fault == "other key":
        cells[0] = "7.4E+12"
    elif fault == "lines":
        cells[1] = '"Zoë\nO""Brien"'
    return separator.join(cells), address


@given(
    st.lists(st.tuples(st.sampled_from(FAULTS), st.sampled_from(["yes", "no", "NO", "unsubscribed", "", "perhaps"])),
             min_size=1, max_size=25),
    st.sampled_from(ENCODINGS), st.sampled_from(SEPARATORS), st.randoms(use_true_random=False),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_whoever_says_no_in_any_row_of_any_file_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    encoding: str,
    separator: str,
    chance: random.Random,
) -> None:
    lines, refused, agreed = [], set(), set()
    for n, (fault, ok) in enumerate(rows):
        line, address = line_of(fault, n, ok, separator)
        lines += [line] * (2 if fault == "twice" else 1)
        if ok.lower() in ("no", "unsubscribed"):
            refused.add(address)
        else:
            agreed.add(address)
    chance.shuffle(lines)
    header = separator.join(("Id", "Name", "Email", "OK", "Market", "Note"))
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_bytes("\n".join([header, *lines, ""]).encode(encoding))
    mapped = (
        'kind = "contacts"\n[columns]\nkey = "Id"\nname = "Name"\nemail = "Email"\nconsent = "OK"\nmarket = "Market"\n'
    )
    file = open_file(path)
    read = RefusalReader(mapping.parse(mapped), file.header)
    found = {refusal.address for refusal in read.refusals(file.every_row())}
    assert refused <= found
    assert not found & agreed  # and nobody else


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_nobody_who_says_no_anywhere_can_be_mailed_after_the_import(
    engine: Engine, now: datetime, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    separator, encoding = chance.choice(SEPARATORS), chance.choice(ENCODINGS)
    lines, refused = [], set()
    for n in range(60):
        ok = chance.choice(["yes", "no", "unsubscribed", ""])
        line, address = line_of(chance.choice(FAULTS), n, ok, separator)
        lines.append(line)
        if ok in ("no", "unsubscribed"):
            refused.add(address)
        if chance.random() < 0.3:  # the same mailbox says yes in another row, before or after
            lines.insert(chance.randrange(len(lines)), separator.join((f"L{n}", "Z", address, "yes", "b2c", "")))
    header = separator.join(("Id", "Name", "Email", "OK", "Market", "Note"))
    path = tmp_path / "any.csv"
    path.write_bytes("\n".join([header, *lines, ""]).encode(encoding))
    mapped = (
        'kind = "contacts"\n[columns]\nkey = "Id"\nname = "Name"\nemail = "Email"\nconsent = "OK"\nmarket = "Market"\n'
    )
    done = import_file(engine, now, path, mapping.parse(mapped), tmp_path / "rejects")
    assert refused <= set(suppressed(engine))
    assert done.suppressed == len(refused)
