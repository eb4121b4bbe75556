"""One lead, from a file to a salesperson and back. Read this first: every noun of nurture speaks once."""

from datetime import datetime, timedelta

from tests.support.installation import House, link

ACCOUNTS = """account,name,industry,employees,country,owner
foo,Foo & Søns <GmbH>,Manufacturing,500,DE,sam@seller.example
"""
CONTACTS = """email,account,first,last,title
zoe@foo.example,foo,Zoë,O'Brien,Head of Maintenance
not an address,foo,Bo,Lund,CEO
"""
VISITS = "email,what,when\n" + "".join(
    f"zoe@foo.example,{what},2026-03-0{day}T10:00:00Z\n"
    for what, day in (("pricing_view", 2), ("pricing_view", 3), ("pricing_view", 4), ("demo_request", 4))
)


def test_one_lead_from_a_file_to_a_salesperson_and_back(house: House, now: datetime) -> None:
    # intake: good rows are taken, a bad one is kept with its reason
    house.receives("accounts", ACCOUNTS)
    assert house.receives("contacts", CONTACTS).rejected == 1

    # segmentation and scoring put her into the audience of a campaign; it is planned, and the outbox leaves once
    house.scores()
    house.publishes("pump-efficiency")
    assert house.plans("pump-efficiency").planned == 1
    assert (house.delivers().accepted, house.delivers().accepted) == (1, 0)
    [letter] = house.inbox("zoe@foo.example")
    assert "Zoë" in letter.get_body(("plain",)).get_content()
    assert house.why("zoe@foo.example", "pump-efficiency").startswith("Zoë O'Brien was sent 'why-now' on 2 March 2026")

    # feedback: she clicks, comes back to the prices, and her score says so
    house.at(now + timedelta(days=2, hours=3))
    assert house.provider_tells("click", letter, url="https://seller.example/roi") == 204
    house.receives("activities", VISITS)
    house.scores()

    # handoff: her salesperson gets a mail with the reasons, opens the page (which decides nothing) and says yes
    assert house.hands_over().offered == 1
    house.delivers()
    [call] = house.inbox("sam@seller.example")
    assert "pricing" in call.get_body(("plain",)).get_content()
    assert "Zoë O&#39;Brien" in house.opens(link(call, "choice=accept"))
    house.answers(link(call, "choice=accept").partition("?")[0], decision="accepted")

    # while she is with sales no letter follows; when she has had enough, none ever does; and the ledger adds up
    house.at(now + timedelta(days=10))
    assert house.plans("pump-efficiency").planned == 0
    house.answers(letter["List-Unsubscribe"].strip("<>"), **{"List-Unsubscribe": "One-Click"})
    assert house.plans("pump-efficiency").planned == 0
    assert house.ledger().adds_up
    assert [line["accepted"] for line in house.ledger().ledger] == [1, 1]  # the mail to sales, and her letter
