"""A marketer's campaign.toml: what it may say, and what each mistake is told with its line and its mend."""

import re
import shutil
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from models.queries.audience import COLUMNS
from nurture.checks.campaign import check
from nurture.config import campaigns
from nurture.config.campaigns import CampaignError
from nurture.config.toml_file import duration, lines
from nurture.rules.planning.campaign import AccountPolicy, Hours, Offer, Sender, Span, Step

PROJECT = Path(__file__).parents[2]
TEMPLATES = PROJECT / "templates"


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """Our own templates to plant mistakes in, without two of the five languages: it is quicker."""
    fewer = shutil.ignore_patterns("*.ro.*", "*.zh.*", "_pages")
    folder = Path(shutil.copytree(TEMPLATES, tmp_path / "templates", ignore=fewer))
    words = folder / "_layout" / "words.toml"
    text = words.read_text("utf-8")
    words.write_text(text[: text.index("[ro]")] + text[text.index("[de]") :], "utf-8")
    return folder


def change(file: Path, old: str, new: str) -> int:
    """Replace words in a file; the line they stand in."""
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{file.name} does not say {old!r}"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


# ── reading ──


def test_our_own_campaigns_have_nothing_to_mend() -> None:
    assert campaigns.slugs(TEMPLATES) == ["pump-efficiency", "spring-sale"]
    assert [str(problem) for problem in check(TEMPLATES, today=date(2026, 3, 2))] == []


def test_a_sequence_says_who_gets_which_letter_after_how_long() -> None:
    campaign = campaigns.read(TEMPLATES, "pump-efficiency")
    assert (campaign.market, campaign.goal) == ("b2b", "opportunity")
    assert [step.letter for step in campaign.steps] == ["why-now", "roi-case", "proof", "next-step"]
    assert campaign.steps[1] == Step(
        "roi-case",
        ("authorizer", "finance", "purchaser"),
        Span(business_days=2),
        "account_clicks_30d >= 1",
        timedelta(days=21),
    )
    assert campaign.account.max_contacts_per_day == 2


def test_a_promotion_has_a_code_an_end_a_holdout_and_evening_hours() -> None:
    campaign = campaigns.read(TEMPLATES, "spring-sale")
    assert campaign.offer == Offer("SPRING15", date(2026, 3, 20), 15, "https://shop.brunnhold.example/spring")
    assert campaign.holdout == 0.1
    assert campaign.hours == Hours(time(17, 30), time(21), (1, 2, 3, 4, 5, 6, 7))
    assert campaign.expires_after == timedelta(days=3)


def test_everything_a_file_may_say_is_read_and_the_rest_is_as_usual() -> None:
    text = """
    name = "N"
    market = "b2b"
    goal = "demo"
    audience = "stage = 'lead'"
    [sender]
    name = "Nora"
    email = "nora@foo.example"
    reply_to = "desk@foo.example"
    [account]
    needs_roles = ["finance"]
    stop_all_on = ["reply"]
    [words]
    product = "Series E"
    [[steps]]
    letter = "a"
    [[steps]]
    letter = "b"
    wait = "PT6H"
    """
    campaign = campaigns.read_files({"c/campaign.toml": text, "c/a/body.txt": "", "c/b/body.txt": ""}, "c")
    assert campaign.sender == Sender("Nora", "nora@foo.example", "desk@foo.example")
    assert campaign.account == AccountPolicy(2, ("reply",), ("finance",))
    assert campaign.steps == (Step("a"), Step("b", wait=Span(time=timedelta(hours=6))))
    assert campaign.extras == {"product": "Series E"}
    assert (campaign.holdout, campaign.max_per_person, campaign.per_days) == (0.0, 3, 7)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("P4BD", Span(4)),
        ("P2D", Span(time=timedelta(days=2))),
        ("PT6H", Span(time=timedelta(hours=6))),
        ("P1W", Span(time=timedelta(weeks=1))),
        ("P1BDT2H30M", Span(1, timedelta(hours=2, minutes=30))),
        *((text, None) for text in ("", "P", "PT", "4BD", "P4B", "P-1D", "P2DT", "four days", "P1Y", "p2d", "P2D ")),
    ],
)
def test_a_wait_is_business_days_or_plain_time(text: str, span: Span | None) -> None:
    assert duration(text) == span


def test_a_version_is_read_back_from_its_files_and_named_by_them() -> None:
    files = campaigns.files(TEMPLATES, "spring-sale")
    assert campaigns.read_files(files, "spring-sale") == campaigns.read(TEMPLATES, "spring-sale")
    assert {"content.toml", "personas.toml", "_layout/base.html", "spring-sale/offer/body.html"} <= set(files)
    assert not any(path.startswith(("pump-efficiency", "_pages", "_sales")) for path in files)
    name = campaigns.digest(files)
    assert name == campaigns.digest(dict(reversed(files.items())))
    assert name != campaigns.digest({**files, "content.toml": files["content.toml"] + " "})
    assert campaigns.digest({"a": "bc"}) != campaigns.digest({"ab": "c"})


def test_lines_of_keys_are_found_past_strings_that_look_like_keys() -> None:
    text = 'a = 1\nb = """\nc = 2\n[d]\n"""\n[e]\nf = 3\n[[g]]\nh = 4\n[[g]]\nh = 5\n'
    assert lines(text) == {
        ("a",): 1, ("b",): 2, ("e",): 6, ("e", "f"): 7, ("g", 0): 8, ("g", 0, "h"): 9, ("g", 1): 10, ("g", 1, "h"): 11,
    }  # fmt: skip


# ── mistakes in campaign.toml ──

MISTAKES = [  # old words, new words, what is said, how to mend it
    ('market   = "b2c"', 'market   = "b2d"', "the market “b2d” is not known", "did you mean b2"),
    ('market   = "b2c"', "market   = 3", "should be a text in quotation marks, not 3", "correct"),
    ("holdout        = 0.1", "hold_out       = 0.1", "hold_out is not known", "did you mean holdout?"),
    ("holdout        = 0.1", "holdout        = 10", "holdout 10 is not a share", "every tenth"),
    ("max_per_person = 2", "max_per_person = 0", "should be at least 1", "pause"),
    ("max_per_person = 2", "max_per_person = true", "should be a whole number, not True", "correct"),
    ('"P3D"', '"P3BD"', "plain days, not business days", "P7D"),
    ('"P7D"', '"7 days"', "wait of step 2 “7 days” is not a duration", "P4BD"),
    ("ends_on = 2026-03-20 ", "ends_on = 2026-02-30 ", "", "TOML"),
    ("ends_on = 2026-03-20 ", 'ends_on = "20.3.2026" ', "“20.3.2026” is not a date", "2026-03-20"),
    ("ends_on = 2026-03-20 ", "#", "the offer has no end", "ends_on = "),
    ("ends_on = 2026-03-20 ", "ends_on = 2026-03-20T10:00:00Z ", "should be a date like 2026-03-20", "correct"),
    ('code    = "SPRING15"', "", "offer.code is missing", "code ="),
    ("percent = 15", "percent = 150", "not between 1 and 100", "15 is fifteen"),
    ('"https://shop.brunnhold.example/spring"', '"javascript:x"', "is not a safe link", "https://"),
    ('start = "17:30"', 'start = "17h30"', "is not a time of day", "18:00"),
    ('end   = "21:00"', 'end   = "08:00"', "the hours end (08:00) before they start", "later"),
    ('["mon",', '["monday",', "the day “monday” is not known", "did you mean mon?"),
    ('letter = "offer"', 'letter = "ofer"', "the letter “ofer” has no folder", "did you mean offer?"),
    ('letter   = "last-days"', 'letter   = "offer"', "is in two steps", "its own letter"),
    ('letter   = "last-days"', "", "letter of step 2 is missing", "letter ="),
    ('letter = "offer"', 'letter = "offer"\nroles = ["autorizer"]', "“autorizer” is not known", "authorizer?"),
    ('letter = "offer"', 'letter = "offer"\nwhenn = "1"', "whenn of step 1 is not known", "did you mean when?"),
    ("clicks_30d >= 1", "cliks_30d >= 1", "no column 'cliks_30d'", "docs/audience.md"),
    ('goal     = "purchase"', "", "goal is missing", "goal ="),
    ('goal     = "purchase"', "goal     = purchase", "Invalid value", "quotation marks"),
    ("[hours] ", '[sender]\nname = "N"\nemail = "nora"\n[hours] ', "“nora” is not an address", "name@company.example"),
    ("[hours] ", "[account]\nmax_contacts_per_day = 1\n[hours] ", "is for B2B sequences", "remove [account]"),
]


@pytest.mark.parametrize(
    ("old", "new", "what", "mend"), MISTAKES, ids=[new or f"no {old}" for old, new, *_ in MISTAKES]
)
def test_a_mistake_is_told_with_its_line_and_its_mend(
    templates: Path, old: str, new: str, what: str, mend: str
) -> None:
    file = templates / "spring-sale" / "campaign.toml"
    at = change(file, old, new)
    with pytest.raises(CampaignError) as caught:
        campaigns.read(templates, "spring-sale")
    assert caught.value.file == "spring-sale/campaign.toml"
    assert what in caught.value.what
    assert mend in caught.value.mend
    if new:  # a line that is missing is told at its table
        assert caught.value.line in range(at - 3, at + new.count("\n") + 1)
        assert "missing" in what or "no end" in what or "account" in new or abs((caught.value.line or 0) - at) <= 2
    assert any(what in problem.what for problem in check(templates, "spring-sale"))


def test_every_mistake_is_told_at_once(templates: Path) -> None:
    file = templates / "spring-sale" / "campaign.toml"
    change(file, "holdout        = 0.1", "holdout        = 7")
    change(file, 'wait     = "P7D"', 'wait     = "soon"')
    with pytest.raises(CampaignError) as caught:
        campaigns.read(templates, "spring-sale")
    assert [p.line for p in caught.value.problems] == [6, 27]
    assert len(str(caught.value).splitlines()) == 2


def test_a_campaign_that_is_not_there_and_a_file_that_is_not_utf8(templates: Path) -> None:
    with pytest.raises(CampaignError, match="there is no campaign “summer”"):
        campaigns.read(templates, "summer")
    (templates / "spring-sale" / "offer" / "body.de.txt").write_bytes("ein\nGruß".encode("cp1252"))
    with pytest.raises(CampaignError, match=r"offer/body\.de\.txt:2: the file is not UTF-8"):
        campaigns.read(templates, "spring-sale")


# ── mistakes in letters, found without a database ──

W = "pump-efficiency/why-now"
PLANTED = [  # file, old words (None: the whole file), new words (None: no file), what is said, in which line it says so
    (f"{W}/body.html", "{{ person.greeting }}", "{{ person.greting }}", "did you mean 'greeting'?", True),
    (f"{W}/body.txt", "{{ sender.name }}", "{{ sendr.name }}", "did you mean 'sender'?", True),
    (f"{W}/body.html", '"Food and Beverage" %}', '"Food and Beverage" %}{{ persn.name }}', "'person'", True),
    (f"{W}/subject.user.txt", None, "{{ person.frist_name }}", "did you mean 'first_name'?", True),
    (f"{W}/body.de.txt", "{{ person.greeting }}", "{{ person.greting }}", "did you mean 'greeting'?", True),
    (f"{W}/body.html", 'content["pump-check-guide"]', 'content["pump-chek-guide"]', "'pump-check-guide'", True),
    (f"{W}/body.txt", "{% endblock %}", "", "Unexpected end of template", False),
    (f"{W}/body.txt", None, None, "this part of the letter is missing", False),
    (f"{W}/body.es.txt", None, None, "not complete in “es”", False),
    (f"{W}/body.user.txt", None, None, "without its txt part", False),
    (f"{W}/subject.txt", None, "{% if false %}x{% endif %}", "the subject is empty", False),
    (f"{W}/subject.txt", None, "x" * 61, "the subject has 61 characters", False),
    (f"{W}/subject.txt", None, "For {{ account.name }} , today", "without a name it reads badly", False),
    (f"{W}/body.html", "{% block preheader %}", "{% block else %}", "there is no preheader", False),
    (f"{W}/body.html", "<h1>", '<img src="https://a.example/p.png"><h1>', "no alt text", True),
    (f"{W}/body.html", "<h1>", '<a href="/pumps">x</a><h1>', "“/pumps” is not a link", True),
    (f"{W}/body.html", "<h1>", '<a href="ftp://a.example/x">x</a><h1>', "is not a link", True),
    (f"{W}/body.html", "<h1>", "<h1>" + "x" * 100_000, "Gmail cuts it", False),
    (
        f"{W}/body.html",
        "pressure boosting.\n{% endif %}",
        "pressure boosting.{% endif %}\nNow",
        "sentences touch",
        False,
    ),
    ("_layout/base.html", "<p>{{ company.postal_address }}</p>", "", "the postal address is missing", False),
    ("_layout/base.txt", "{{ company.postal_address }}", "", "the postal address is missing", False),
    ("_layout/base.html", '<a href="{{ unsubscribe_url }}"', '<a href="{{ web_url }}"', "unsubscribe link", False),
    ("_layout/base.txt", "{{ unsubscribe_url }}", "", "the unsubscribe link is missing", False),
    ("_layout/words.toml", "[es]", "[es", "Expected ']'", False),
    ("_partials/button.html", "{{ label }}", "{{ lable }}", "'lable' is not known", True),
    ("content.toml", '"specifier", "user"]', '"specifier", "usr"]', "the role “usr” is not known", False),
    ("content.toml", "https://www.brunnhold.example/guides", "http://x.example", "is not a safe link", True),
]


@pytest.mark.parametrize(("file", "old", "new", "what", "exact"), PLANTED, ids=[f"{p[0]} {p[3]}" for p in PLANTED])
def test_a_planted_mistake_is_found_in_its_file_and_line(
    templates: Path, file: str, old: str | None, new: str | None, what: str, exact: bool
) -> None:
    path, line = templates / file, None
    if new is None:
        path.unlink()
    elif old is None:
        path.write_text(new, encoding="utf-8")
        line = 1
    else:
        line = change(path, old, new)
    found = [p for p in check(templates, "pump-efficiency") if what in p.what]
    assert found, [str(p) for p in check(templates, "pump-efficiency")]
    if exact:
        assert (found[0].file, found[0].line) == (file, line)
    assert found[0].mend


def test_a_file_with_a_misspelt_role_and_a_letter_nobody_gets_are_told(templates: Path) -> None:
    folder = templates / "pump-efficiency"
    (folder / "why-now" / "body.autorizer.html").write_text("x")
    shutil.copytree(folder / "proof", folder / "proof-old")
    told = "\n".join(map(str, check(templates, "pump-efficiency")))
    assert "“autorizer” is neither a role nor a language we know (did you mean authorizer?)" in told
    assert "pump-efficiency/proof-old/subject.txt:1: no step uses this letter" in told


def test_an_offer_that_is_over_is_told_from_the_day_after_its_last(templates: Path) -> None:
    def told(day: int) -> list[str]:
        return [p.what for p in check(TEMPLATES, "spring-sale", today=date(2026, 3, day))]

    assert told(20) == []
    assert told(21) == ["the offer ended on 2026-03-20; nobody gets a letter"]


def test_a_mistake_in_a_frame_is_told_once_not_per_letter(templates: Path) -> None:
    change(templates / "_layout" / "base.txt", "{{ company.name }}", "{{ company.nme }}")
    problems = check(templates)
    assert [(p.file, p.what) for p in problems] == [
        ("_layout/base.txt", "'nme' is not known here: did you mean 'name'?")
    ]


# ── the guides ──


def test_the_guide_explains_every_column_of_the_audience() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", (PROJECT / "docs" / "audience.md").read_text(), re.MULTILINE))
    assert explained == set(COLUMNS)


def test_the_guide_explains_every_key_of_a_campaign() -> None:
    from nurture.config.campaign_file import TOP

    guide = (PROJECT / "docs" / "campaigns.md").read_text(encoding="utf-8")
    keys = [*TOP, "letter", "roles", "wait", "when", "patience", "max_contacts_per_day", "stop_all_on", "needs_roles",
            "code", "percent", "ends_on", "url", "start", "end", "days", "email", "reply_to"]  # fmt: skip
    assert [key for key in keys if not re.search(rf"[`\[ ]{key}[`\], ]", guide)] == []


def test_the_example_in_the_guide_is_a_campaign(tmp_path: Path) -> None:
    guide = (PROJECT / "docs" / "campaigns.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n# templates/([\w-]+)/campaign\.toml\n(.*?)```", guide, re.DOTALL)
    assert examples
    for slug, text in examples:
        letters = {f"{slug}/{name}/body.txt": "" for name in re.findall(r'letter\s*=\s*"([\w-]+)"', text)}
        assert campaigns.read_files({f"{slug}/campaign.toml": text, **letters}, slug).slug == slug
