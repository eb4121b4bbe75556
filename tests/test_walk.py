"""One lead, from a file to a salesperson and back. Read this first: every noun of nurture speaks once."""

from datetime import datetime, timedelta

from tests.support.installation import Installation, link

ACCOUNTS = """account,name,industry,employees,country,owner
foo,Foo & Søns <GmbH>,Manufacturing,500,DE,sam@seller.example
"""
CONTACTS = """email,account,first,last,title
zoe@foo.example,foo,Zoë,O'Brien,Head of Maintenance
not an address,foo,Bo,Lund,CEO
"""
VISITS = """email,what,when
zoe@foo.example,pricing_view,2026-03-02T10:00:00Z
zoe@foo.example,pricing_view,2026-03-03T10:00:00Z
zoe@foo.example,pricing_view,2026-03-04T10:00:00Z
zoe@foo.example,demo_request,2026-03-04T10:00:00Z
"""
ZOE, SAM = "zoe@foo.example", "sam@seller.example"  # the lead, and her account's salesperson


def test_one_lead_from_a_file_to_a_salesperson_and_back(installation: Installation, now: datetime) -> None:
    # intake: good rows are imported, a bad one is kept with its reason
    installation.import_csv("accounts", ACCOUNTS)
    assert installation.import_csv("contacts", CONTACTS).rejected == 1

    # segmentation and scoring put her into a campaign's audience; her letter is planned, and leaves the outbox once
    installation.score()
    installation.publish("pump-efficiency")
    assert installation.plan("pump-efficiency").planned == 1
    assert installation.deliver().accepted == 1
    assert installation.deliver().accepted == 0
    [letter] = installation.inbox(ZOE)
    assert "Zoë" in letter.get_body(("plain",)).get_content()
    assert installation.why(ZOE, "pump-efficiency").startswith("Zoë O'Brien was sent 'why-now' on 2 March 2026")

    # feedback: she clicks, comes back to the prices, and her score says so
    installation.set_time(now + timedelta(days=2, hours=3))
    assert installation.post_event("click", letter, url="https://seller.example/roi") == 204
    installation.import_csv("activities", VISITS)
    installation.score()

    # handoff: her salesperson gets a mail with the reasons, opens the page (which decides nothing) and says yes
    assert installation.hand_over().offered == 1
    installation.deliver()
    [offer] = installation.inbox(SAM)
    assert "pricing" in offer.get_body(("plain",)).get_content()
    yes = link(offer, "choice=accept")
    assert "Zoë O&#39;Brien" in installation.open_page(yes)
    installation.press_button(yes.partition("?")[0], decision="accepted")

    # while she is with sales no letter follows; once she has unsubscribed, none ever does
    installation.set_time(now + timedelta(days=10))
    assert installation.plan("pump-efficiency").planned == 0
    installation.press_button(letter["List-Unsubscribe"].strip("<>"), **{"List-Unsubscribe": "One-Click"})
    assert installation.plan("pump-efficiency").planned == 0

    # reporting: the ledger adds up, a line per step: the mail to sales, her letter, and the one she never gets
    assert installation.ledger().adds_up
    assert [line.accepted for line in installation.ledger().lines] == [1, 1, 0]
