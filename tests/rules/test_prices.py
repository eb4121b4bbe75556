"""Who pays what: a table of buyers, mistakes in a price list, and letters that show no price where somebody calls."""

from decimal import Decimal
from pathlib import Path

import pytest

from nurture.checks import campaign
from nurture.config import prices
from nurture.rendering import LetterError, TemplateSet, samples
from nurture.rules.planning.campaign import Campaign, Step
from nurture.rules.planning.prices import GROUP, INSTANT, Buyer, quote
from nurture.runtime.settings import PROJECT

TEXT = """
[products]
pump = 1000
[[instant]]
percent = 3
channels = ["Direct"]
[[instant]]
percent = 6
tiers = ["A"]
from_volume = 5
[[instant]]
percent = 9
from_volume = 15
[[group]]
percent = 8
from_volume = 40
[[rebate]]
percent = 2.5
channels = ["distributor"]
from_volume = 10
[rep]
from_volume = 100
from_growth = 30
"""
LIST = prices.read_text(TEXT)


@pytest.mark.parametrize(
    ("buyer", "percent", "by", "net", "rebate", "further"),
    [
        (Buyer(), 0, "", "1000", 0, (15, 9)),
        (Buyer("direct"), 3, INSTANT, "970", 0, (15, 9)),
        (Buyer("direct", "a", 4), 3, INSTANT, "970", 0, (5, 6)),
        (Buyer("DIRECT", "A", 5), 6, INSTANT, "940", 0, (15, 9)),
        (Buyer("direct", "B", 5), 3, INSTANT, "970", 0, (15, 9)),
        (Buyer("", "", 15), 9, INSTANT, "910", 0, (0, 0)),
        (Buyer("distributor", "", 12), 0, "", "1000", "2.5", (15, 9)),
        (Buyer("distributor", "", 9), 0, "", "1000", 0, (15, 9)),
        (Buyer("direct", "", 1, 40), 8, GROUP, "920", 0, (15, 9)),  # the better one counts, they are not added
        (Buyer("direct", "", 1, 39), 3, INSTANT, "970", 0, (15, 9)),
        (Buyer("", "", 20, 50), 9, INSTANT, "910", 0, (0, 0)),
    ],
)
def test_what_a_buyer_pays(
    buyer: Buyer, percent: int, by: str, net: str, rebate: str, further: tuple[int, int]
) -> None:
    found = quote(buyer, LIST)
    assert (found.percent, found.by, found.rebate) == (percent, by, Decimal(rebate))
    assert found.products["pump"] == (Decimal(1000), Decimal(net))
    assert (found.next_volume, found.next_percent) == further
    assert not found.rep


@pytest.mark.parametrize(
    ("buyer", "why"),
    [(Buyer(volume=100), "buys 100 units"), (Buyer(group_volume=5000), "buys 5,000 units"),
     (Buyer(growth=30), "30 % more")],
)  # fmt: skip
def test_where_volume_or_growth_justifies_a_person_there_is_no_price_at_all(buyer: Buyer, why: str) -> None:
    found = quote(buyer, LIST)
    assert found.rep
    assert why in found.why
    assert (found.percent, found.rebate, dict(found.products)) == (0, 0, {})
    assert not quote(Buyer(volume=99, growth=29.9), LIST).rep


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("[products]\npump = 0", "prices.toml:2: the list price of pump is 0"),
        ("[[instant]]\npercent = 0\n[[group]]\npercent = 5", "prices.toml:2: 0 percent is no discount"),
        ("[[group]]\npercent = 5", "prices.toml:1: a group purchase counts what is bought together (add from_volume"),
        ('[[rebate]]\npercent = "5"', "prices.toml:2: rebate.0.percent should be a number, not “5”"),
        ("[[instant]]\npercent = 5\nchanels = []", "instant.0.chanels is not known (did you mean channels?)"),
        ("[rep]\ntiers = ['A']", "prices.toml:1: [rep] says not from where on"),
        ('currency = "EURO"', "prices.toml:1: “EURO” is no currency"),
        ("[rep", "prices.toml:1: "),
    ],
)
def test_mistakes_have_a_line_and_a_mend(wrong: str, says: str) -> None:
    assert says in "\n".join(map(str, prices.check({"prices.toml": wrong})))


CAMPAIGN = Campaign("c", "C", "b2b", "g", "", (Step("l"),))
GUARDED = (
    "{% if price.rep %}We call you.{% else %}{{ price.percent | percent }}, {{ price.products['pump'].net }}{% endif %}"
)


def book(body: str) -> TemplateSet:
    return TemplateSet({"c/l/subject.txt": "s", "c/l/body.txt": body, "c/l/body.html": body, "prices.toml": TEXT})


def test_letters_speak_of_the_readers_own_price_and_of_none_where_somebody_calls() -> None:
    letters = book(GUARDED)
    for buyer, said in ((samples.ZOE, "6%, 940"), (samples.NOBODY, "0%, 1000"), (samples.BIG, "We call you."),
                        (samples.ZOE._replace(tier="B"), "3%, 970")):  # fmt: skip
        assert letters.render("c", "l", None, "en", samples.values(CAMPAIGN, buyer)).text == said + "\n"
    careless = book("{{ price.percent }}")
    with pytest.raises(LetterError, match="percent"):
        careless.render("c", "l", None, "en", samples.values(CAMPAIGN, samples.BIG))


def test_check_asks_for_words_for_those_whom_somebody_calls(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    (folder / "l").mkdir(parents=True)
    terms = 'name = "C"\nmarket = "b2b"\ngoal = "g"\naudience = "1 = 1"\n[[steps]]\nletter = "l"\n'
    (folder / "campaign.toml").write_text(terms)
    (tmp_path / "prices.toml").write_text(TEXT)
    for part in ("subject.txt", "body.txt", "body.html"):
        (folder / "l" / part).write_text("x {{ price.percent }}" if part == "body.txt" else "x")
    told = [p for p in campaign.check(tmp_path, "c") if "price" in p.what]
    assert [(p.file, p.line, p.weight) for p in told] == [("c/l/body.txt", 1, "error")]
    assert "{% if price.rep %}" in told[0].mend
    (tmp_path / "prices.toml").write_text("[[instant]]\n")
    assert "percent is missing" in str(campaign.check(tmp_path, "c")[0])


def test_our_own_price_list_can_be_read() -> None:
    found = prices.read_text((PROJECT / "templates" / "prices.toml").read_text("utf-8"))
    assert quote(Buyer("direct", "A", 6), found).percent == 6
