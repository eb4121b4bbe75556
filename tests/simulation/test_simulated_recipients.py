"""The simulated people: they go by the mail, the same mail always meets the same fate, and their rates make sense."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from models.event import EventKind, MessageEvent
from models.handoff import Decision
from nurture.channels.sendgrid.events import SIGNATURE, TIMESTAMP, genuine, public_keys, read_events
from nurture.rules.feedback.reactions import NOT_A_FIT, NOT_NOW, machines
from nurture.rules.planning.hours import is_business_day, zone_of
from nurture.simulation import salespeople
from nurture.simulation.inbox import ReceivedMail, read_mail
from nurture.simulation.provider import SimulatedProvider
from nurture.simulation.recipients import (
    AWAKE,
    DEAD,
    Reaction,
    SimulatedAction,
    SimulatedPerson,
    keenness,
    project_start,
    reactions,
    shop_order,
    site_visits,
)
from nurture.simulation.seeded_random import SeededRandom

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
SEED = 1
HTML = """<!DOCTYPE html><html lang="es"><head><title>x</title></head><body>
<a href="https://www.foo.example/roi?a=1&amp;b=2" style="color: #0b5f6b;">ROI</a>
<a href="https://www.foo.example/roi?a=1&amp;b=2">again</a> <a href="https://www.foo.example/case">case</a>
<p class="word" style="font-size: 30px;">SPRING15</p>
<a href="http://127.0.0.1:8400/u/7.abc" clicktracking="off" style="color: #5d6b69;">leave</a></body></html>"""


def a_mail(**more: object) -> ReceivedMail:
    values: dict[str, object] = {
        "message_id": 7, "attempt_id": "018f", "to": "zoe@foo.example", "subject": "Why now", "sent_at": NOW,
        "category": "pumps", "language": "en", "links": ("https://foo.example/a", "https://foo.example/b", "http://x/u/7"),
        "tracked": ("https://foo.example/a", "https://foo.example/b"),
        "one_click": "http://x/u/7", "code": None, "text": "",
    }  # fmt: skip
    return ReceivedMail(**(values | more))  # type: ignore[arg-type]


def crowd(n: int, market: str = "b2b", **more: object) -> list[SimulatedPerson]:
    return [SimulatedPerson(f"p{i}@c{i}.example", market, company=f"c{i}", **more) for i in range(n)]  # type: ignore[arg-type]


def fates(people: list[SimulatedPerson], **mail: object) -> list[list[Reaction]]:
    return [reactions(SEED, a_mail(to=who.address, **mail), who) for who in people]


def share(many: list[list[Reaction]], what: EventKind | SimulatedAction, machine: bool = False) -> float:
    return sum(any(did.what is what and did.machine is machine for did in one) for one in many) / len(many)


# --- what stands in the mail ----------------------------------------------


def an_eml(**headers: str) -> bytes:
    """As nurture.mailbox writes them; tests/test_demo.py reads the real ones."""
    mail = EmailMessage(policy=SMTP)
    mail["To"] = Address("Zoë O'Brien", addr_spec="Zoe@Foo.example")
    mail["Subject"], mail["Date"] = "¿Por qué ahora, señora?", NOW
    mail["X-Nt-Message"], mail["X-Nt-Attempt"], mail["X-Category"] = "7", "018f", "pumps"
    mail["List-Unsubscribe"] = "<http://127.0.0.1:8400/u/7.abc>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("text, señora")
    mail.add_alternative(HTML, subtype="html")
    return mail.as_bytes()


def test_a_recipient_reads_what_a_mail_program_would() -> None:
    mail = read_mail(an_eml(List_Unsubscribe_Post="List-Unsubscribe=One-Click"))
    assert mail.to == "zoe@foo.example"
    assert mail.subject == "¿Por qué ahora, señora?"
    assert (mail.message_id, mail.attempt_id, mail.category, mail.sent_at) == (7, "018f", "pumps", NOW)
    assert mail.tracked == ("https://www.foo.example/roi?a=1&b=2", "https://www.foo.example/case")
    assert mail.leave_page == mail.one_click == "http://127.0.0.1:8400/u/7.abc"
    assert (mail.code, mail.language, mail.text.strip()) == ("SPRING15", "es", "text, señora")


def test_a_mail_without_the_promise_of_one_click_has_no_button() -> None:
    assert read_mail(an_eml()).one_click is None


# --- fates ----------------------------------------------


def test_the_same_letter_always_meets_the_same_fate() -> None:
    people = crowd(200, keen=0.6)
    assert fates(people) == [fates([who])[0] for who in reversed(people)][::-1]
    assert fates(people) != fates(people, subject="Another mail")


def test_chance_does_not_depend_on_the_process() -> None:
    """Python's own hash() does; a demo that nobody can repeat explains nothing."""
    assert SeededRandom(7, "zoe@foo.example").roll("opens") == pytest.approx(0.546293, abs=1e-6)
    assert SeededRandom(7, "zoe@foo.example").roll("opens") != SeededRandom(8, "zoe@foo.example").roll("opens")


def test_everything_happens_after_the_letter_left_and_in_order() -> None:
    for one in fates(crowd(300, keen=0.9)):
        moments = [did.at for did in one]
        assert moments == sorted(moments)
        assert moments[0] > NOW


def test_a_dead_address_bounces_every_letter_and_nobody_there_does_anything() -> None:
    people = crowd(1_000)
    first, second = fates(people), fates(people, subject="Another mail")
    dead = {i for i, one in enumerate(first) if any(did.what is EventKind.BOUNCED for did in one)}
    assert len(dead) / 1_000 == pytest.approx(DEAD["b2b"], abs=0.015)
    for i in dead:
        assert {did.what for did in second[i]} <= {EventKind.PROCESSED, EventKind.DEFERRED, EventKind.BOUNCED}


def test_a_scanner_is_found_out_by_our_own_rule_and_never_unsubscribes_anybody() -> None:
    found = 0
    for who, one in zip(people := crowd(400), fates(people), strict=True):
        heard = [
            MessageEvent(str(i), str(did.what), did.at, did.url)
            for i, did in enumerate(one)
            if isinstance(did.what, EventKind)
        ]
        scanned = {str(i) for i, did in enumerate(one) if did.machine and did.what is EventKind.CLICKED}
        people_clicks = {str(i) for i, did in enumerate(one) if not did.machine and did.what is EventKind.CLICKED}
        assert scanned <= machines(heard), who
        assert not people_clicks & machines(heard), who
        found += bool(scanned)
        if scanned:
            assert any(did.what is SimulatedAction.LOOKED for did in one)
    assert found > 20


def test_who_clicks_has_opened_and_who_leaves_or_complains_clicks_nothing() -> None:
    for one in fates(crowd(2_000, keen=0.9)):
        human = [did.what for did in one if not did.machine]
        if EventKind.CLICKED in human:
            assert human.index(EventKind.OPENED) < human.index(EventKind.CLICKED)
        if {SimulatedAction.LEFT_BY_HEADER, SimulatedAction.LEFT_BY_PAGE, EventKind.COMPLAINED} & set(human):
            assert EventKind.CLICKED not in human


def test_without_a_button_people_leave_by_the_page() -> None:
    left = [did for one in fates(crowd(3_000), one_click=None) for did in one]
    assert any(did.what is SimulatedAction.LEFT_BY_PAGE for did in left)
    assert not any(did.what is SimulatedAction.LEFT_BY_HEADER for did in left)


def test_rates_are_such_as_one_meets() -> None:
    many = fates(crowd(4_000, "b2c", keen=0.3))
    assert 0.2 < share(many, EventKind.OPENED) < 0.5
    assert 0.02 < share(many, EventKind.CLICKED) < 0.2
    assert 0.2 < share(many, EventKind.OPENED, machine=True) < 0.4  # privacy proxies
    assert share(many, EventKind.COMPLAINED) < 0.005
    assert share(many, SimulatedAction.LEFT_BY_HEADER) + share(many, SimulatedAction.LEFT_BY_PAGE) < 0.03


def test_keen_companies_react_more_and_an_unreadable_letter_less() -> None:
    hot, cold = (fates(crowd(2_000, keen=keen, role="specifier")) for keen in (0.9, 0.1))
    assert share(hot, EventKind.CLICKED) > 2 * share(cold, EventKind.CLICKED)
    foreign = fates(crowd(2_000, keen=0.9, role="specifier", language="zh"))
    assert share(foreign, EventKind.CLICKED) < share(hot, EventKind.CLICKED) / 2


def test_roles_differ_and_a_reply_is_in_the_letters_language() -> None:
    specifiers, gatekeepers = (
        fates(crowd(2_000, keen=0.5, role=role), language="de") for role in ("specifier", "gatekeeper")
    )
    assert share(specifiers, EventKind.CLICKED) > share(gatekeepers, EventKind.CLICKED)
    replies = {did.detail for one in specifiers for did in one if did.what is EventKind.REPLIED}
    assert all("nächste Woche" in words for words in replies)


def test_shoppers_buy_without_a_letter_too_but_less() -> None:
    people = [
        SimulatedPerson(f"s{i}@home.example", "b2c", keen=keenness(SEED, "b2c", f"s{i}@home.example"))
        for i in range(1_500)
    ]
    month = [(NOW + timedelta(days=n)).date() for n in range(21)]
    anyway = sum(any(shop_order(SEED, who, day) for day in month) for who in people) / 1_500
    by_letter = [did for one in fates(people, code="SPRING15") for did in one if did.what is SimulatedAction.BOUGHT]
    assert 0.01 < anyway < 0.1
    assert len(by_letter) / 1_500 > 0.01
    assert {did.url for did in by_letter} == {"SPRING15"}
    assert all(did.cents > 0 and did.detail for did in by_letter)


def test_heat_makes_a_companys_people_keen() -> None:
    cold, warm, hot = (sum(keenness(SEED, "b2b", f"p{i}@x.example", heat) for i in range(200)) for heat in (0, 1, 2))
    assert cold < warm < hot


def test_a_project_wakes_a_whole_company_from_its_day_on() -> None:
    begun = [project_start(SEED, f"c{i}", NOW.date()) for i in range(400)]
    assert 0.15 < sum(day is not None for day in begun) / 400 < 0.35
    who = SimulatedPerson("zoe@foo.example", "b2b", keen=0.1, wakes=date(2026, 3, 10))
    assert (who.on(date(2026, 3, 9)).keen, who.on(date(2026, 3, 10)).keen) == (0.1, AWAKE)
    asleep, awake = (
        sum(
            bool(site_visits(SEED, one, NOW.date() + timedelta(days=n)))
            for one in crowd(300, keen=0.1, wakes=wakes)
            for n in range(7)
        )
        for wakes in (None, NOW.date())
    )
    assert awake > 5 * asleep


# --- the provider ----------------------------------------------


def test_posts_are_signed_untidy_and_complete() -> None:
    provider, sent = SimulatedProvider(SEED), []
    for i, who in enumerate(people := crowd(300, keen=0.8)):
        mail = a_mail(message_id=i + 1, to=who.address)
        for did in reactions(SEED, mail, who):
            if isinstance(did.what, EventKind) and did.what is not EventKind.REPLIED:
                provider.record(mail, did)
                sent.append((i + 1, did.what, int(did.at.timestamp()), did.url or None))
    assert len(people) == 300
    keys, rows, posts = public_keys(provider.public_key), [], 0
    for _ in range(2):  # the second time tells what was late, and repeats
        for headers, body in provider.due_posts(NOW):
            assert genuine(keys, headers[SIGNATURE], headers[TIMESTAMP], body)
            assert not genuine(keys, headers[SIGNATURE], headers[TIMESTAMP], body[:-2])
            rows += read_events(body, NOW)
            posts += 1
    assert posts > 2
    heard = Counter((row.message_id, row.kind, int(row.at.timestamp()), row.url) for row in rows)
    assert set(heard) == {(i, what.value, at, url) for i, what, at, url in sent}
    assert len(rows) > len(heard)  # some were told twice …
    assert len({row.key for row in rows}) == len(heard)  # … and are the same event to us
    moments = [row.at for row in rows]
    assert moments != sorted(moments)


# --- salespeople ----------------------------------------------

MAIL = """Hannes Jäger, Technischer Leiter

ACCEPT    http://127.0.0.1:8400/h/3.17.abc-_x?choice=accept

Call  +49 45 4274507
Mail  Hannes.Jaeger@foo.example

Everything we know: http://127.0.0.1:8400/h/3.17.abc-_x
"""


def test_a_salesperson_finds_the_lead_and_its_page_in_the_mail() -> None:
    about = salespeople.read_offer(a_mail(to="sam@seller.example", text=MAIL))
    assert about == salespeople.SimulatedOffer(
        "sam@seller.example", "http://127.0.0.1:8400/h/3.17.abc-_x", "hannes.jaeger@foo.example", NOW
    )
    assert salespeople.read_offer(a_mail(text="Dear Zoë, https://foo.example/here")) is None


def test_answers_come_at_the_desk_with_a_reason_and_some_are_late_or_never_come() -> None:
    offers = [
        salespeople.SimulatedOffer("sam@seller.example", f"http://x/h/{i}", f"p{i}@foo.example", NOW)
        for i in range(400)
    ]
    answers = [salespeople.decide(SEED, about, 0.7) for about in offers]
    assert answers == [salespeople.decide(SEED, about, 0.7) for about in offers]
    given = [answer for answer in answers if answer]
    assert 0.05 < 1 - len(given) / 400 < 0.16
    reasons = {Decision.ACCEPTED: {""}, Decision.RECYCLED: set(NOT_NOW), Decision.REJECTED: set(NOT_A_FIT)}
    zone = zone_of("DE", "Europe/Berlin")
    for answer in given:
        local = answer.at.astimezone(zone)
        assert answer.at > NOW
        assert 9 <= local.hour < 17
        assert is_business_day(local.date(), "DE")
        assert answer.reason in reasons[answer.decision]
        if answer.deal_at:
            assert answer.decision is Decision.ACCEPTED
            assert answer.deal_at > answer.at
    decided = Counter(answer.decision for answer in given)
    assert decided[Decision.ACCEPTED] > decided[Decision.RECYCLED] > decided[Decision.REJECTED] > 0
    assert any(answer.at > NOW + timedelta(hours=10) for answer in given)
