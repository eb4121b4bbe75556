"""What people write for yes and no: what is not plainly a yes is none, and what is a no stops the address."""

import pytest

from models.address import SuppressedBy
from nurture.rules.intake import consent_words
from nurture.rules.intake.cell_parsers import CellFormat, InvalidCell

PLAIN = CellFormat()
STOP, DEAD, SPAM = SuppressedBy.UNSUBSCRIBE, SuppressedBy.BOUNCE, SuppressedBy.COMPLAINT


@pytest.mark.parametrize(
    "cell",
    ["SUBSCRIBED", "subscribe", "Oui", "checked", "on", "yes, please", "Opted-In", "TRUE", "✓", "Ja", "1.0", "WAHR",
     "yes ", "sí", "Da", "tak", "abonné", "同意", "Y", "x"],
)  # fmt: skip
def test_a_yes(cell: str) -> None:
    assert consent_words.consent(cell, PLAIN) == "granted"
    assert consent_words.refusal(cell) is None


@pytest.mark.parametrize(
    ("cell", "why"),
    [("Unsubscribed", STOP), ("blocklisted", STOP), ("off", STOP), ("Opted Out", STOP), ("Do not contact", STOP),
     ("FALSE", STOP), ("0", STOP), ("0.0", STOP), ("Nej", STOP), ("Falsch", STOP), ("Désabonné", STOP), ("baja", STOP),
     ("退订", STOP), ("EMAIL_BLACKLISTED".removeprefix("EMAIL_"), STOP), ("no!", STOP), ("no, thanks", STOP),
     ("Spam report", SPAM)],
)  # fmt: skip
def test_a_no_stops_the_address(cell: str, why: SuppressedBy) -> None:
    assert consent_words.consent(cell, PLAIN) == "withdrawn"
    assert consent_words.refusal(cell) == why


@pytest.mark.parametrize("cell", ["Cleaned", "Bounced", "hard-bounce", "Invalid"])
def test_a_bounce_stops_the_mailbox_and_says_nothing_of_the_person(cell: str) -> None:
    assert consent_words.consent(cell, PLAIN) == "unknown"
    assert consent_words.refusal(cell) == DEAD


@pytest.mark.parametrize("cell", ["NEVER_SUBSCRIBED", "pending", "Unconfirmed", "No consent", "not subscribed", "n/a"])
def test_who_was_never_asked_is_neither(cell: str) -> None:
    assert consent_words.consent(cell, PLAIN) == "unknown"
    assert consent_words.refusal(cell) is None


@pytest.mark.parametrize("cell", ["-1", "2025-03-04", "Active", "maybe", "2", "no idea who that is", "see notes"])
def test_what_is_not_plain_is_no_answer(cell: str) -> None:
    assert isinstance(consent_words.consent(cell, PLAIN), InvalidCell)
    assert consent_words.refusal(cell) is None


@pytest.mark.parametrize(
    ("cell", "left"),
    [("yes", True), ("1", True), ("Unsubscribed", True), ("2025-01-02 07:00:00", True), ("blacklisted", True),
     ("no", False), ("Subscribed", False), ("0", False), ("-", False)],
)  # fmt: skip
def test_who_left(cell: str, left: bool) -> None:
    assert consent_words.unsubscribed(cell, PLAIN) is left


def test_any_reason_of_a_bounce_is_a_bounce() -> None:
    assert consent_words.marked("550 5.1.1 no such user", PLAIN)
    assert not consent_words.marked("no", PLAIN)
    assert not consent_words.marked("soft bounce", PLAIN)
