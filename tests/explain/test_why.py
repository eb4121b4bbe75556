"""`nurture why`: one true sentence for whoever got the letter, was held back, or never qualified."""

from datetime import datetime, timedelta

import pytest

from nurture.explain.why import NotKnown, why
from nurture.runtime import database
from tests.support.installation import Installation
from tests.test_walk import ACCOUNTS

PEOPLE = """email,account,first,last,title
zoe@foo.example,foo,Zoë,O'Brien,Head of Maintenance
bo@foo.example,foo,Bo,Lund,Receptionist
ann@shop.example,shop,Ann,Lee,Head of Maintenance
"""


@pytest.fixture
def installed(installation: Installation) -> Installation:
    installation.import_csv("accounts", ACCOUNTS + "shop,Corner Shop,Retail,3,DE,sam@seller.example\n")
    installation.import_csv("contacts", PEOPLE)
    installation.score()
    installation.publish("pump-efficiency")
    return installation


def test_who_never_qualified_hears_which_condition_and_what_is_there(installed: Installation) -> None:
    installed.plan("pump-efficiency")
    sentence = installed.why("ann@shop.example", "pump-efficiency")
    assert sentence.startswith("Ann Lee never qualified: industry is Retail (the audience wants industry IN (")
    gatekeeper = installed.why("bo@foo.example", "pump-efficiency")
    assert "never qualified: no letter of pump-efficiency is meant for the role gatekeeper" in gatekeeper or (
        "never qualified: grade is D" in gatekeeper
    )


def test_before_during_and_after_the_letter(installed: Installation, now: datetime) -> None:
    assert installed.why("zoe@foo.example", "pump-efficiency") == (
        "Zoë O'Brien qualifies and enters pump-efficiency at its next run."
    )
    installed.plan("pump-efficiency")
    assert installed.why("zoe@foo.example", "pump-efficiency") == "'why-now' to Zoë O'Brien waits for 2 March 2026."
    installed.deliver()
    assert installed.why("Zoe@foo.example", "pump-efficiency") == (
        "Zoë O'Brien was sent 'why-now' on 2 March 2026; "
        "the next letter to Zoë O'Brien waits: the letter proof is due on 5 March."
    )


def test_who_was_held_back_hears_why(installed: Installation, now: datetime) -> None:
    from models.queries.suppression import suppress

    installed.plan("pump-efficiency")
    with database.writing(installed.engine) as session:
        suppress(session, ["zoe@foo.example"], "unsubscribe", "unsubscribe page", now)
    assert installed.why("zoe@foo.example", "pump-efficiency").startswith(
        "Zoë O'Brien was not sent 'why-now' on 2 March 2026: unsubscribed"
    )


def test_a_stranger_and_a_campaign_nobody_published_are_said_to_be_so(installed: Installation) -> None:
    with database.reading(installed.engine) as session:
        with pytest.raises(NotKnown, match=r"nobody with the address .who@foo\.example. is known"):
            why(session, installed.now, "who@foo.example", "pump-efficiency")
        with pytest.raises(NotKnown, match=r"no published campaign 'winter'.*published: pump-efficiency"):
            why(session, installed.now, "zoe@foo.example", "winter")


def test_after_the_last_letter_nothing_is_promised(installed: Installation, now: datetime) -> None:
    for days in range(0, 75):
        installed.set_time(now + timedelta(days=days))
        installed.plan("pump-efficiency")
        installed.deliver()
    sentence = installed.why("zoe@foo.example", "pump-efficiency")
    assert "was sent 'why-now'" in sentence
    assert "was sent 'proof'" in sentence
    assert "next letter" not in sentence
    assert installed.ledger().adds_up
