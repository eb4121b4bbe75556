"""Reading campaign.toml: a marketer's file becomes a Campaign; every mistake is named with line and mend."""

import difflib
import re
from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from typing import Literal

from models.segment import ROLES
from nurture.config import audience_predicate
from nurture.config.staying import ALWAYS
from nurture.config.toml_file import ConfigFileError, Problem, TomlTable, duration, parse_toml
from nurture.rules.delivery.scheduled_send import LONGEST, SHORTEST
from nurture.rules.planning.campaign import (
    COLLEAGUES_DID,
    IF_LATE,
    AccountPolicy,
    After,
    Campaign,
    Hours,
    Offer,
    Reentry,
    Sender,
    Span,
    Step,
)

USUAL = Campaign("", "", "b2b", "", "", ())  # what a file that says nothing gets
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
STOPS = ("reply", "opportunity_open", "meeting_booked", "contract")
PAUSE = "to stop a campaign, pause it"
ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+")


class CampaignError(ConfigFileError):
    """A campaign cannot be used. Mend what `problems` lists; each names its file and line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        first = problems[0]
        self.file, self.line, self.what, self.mend = first.file, first.line, first.what, first.mend


TOP = ("name", "market", "goal", "goal_when", "audience", "stays_if", "exit_when", "reentry", "priority", "holdout",
       "max_per_person", "per_days", "expires_after", "account", "hours", "offer", "sender", "send", "words",
       "steps")  # fmt: skip
RENAMED = {"send": {"lead": "hold_for"}}  # table → key until 0.1 → its name now


def parse(
    text: str, file: str, slug: str, letters: frozenset[str], stored: bool = False
) -> tuple[Campaign | None, list[Problem]]:
    """The campaign a text describes, and everything wrong with it. `letters` are the folders beside the file.

    A key by its old name is refused, with the new one; in a version that is `stored` it means the same as ever.
    """
    try:
        table = parse_toml(text, file, CampaignError)
    except CampaignError as error:
        return None, error.problems
    table.expect_only(TOP)
    campaign = Campaign(
        slug=slug,
        name=table.require("name", str) or slug,
        market=_market(table),
        goal=table.require("goal", str) or "",
        audience="" if table.missing("audience") else _predicate(table, "audience") or "",
        steps=_steps(table, letters),
        sender=_sender(table.table("sender")) if "sender" in table else None,
        account=_account(table.table("account")),
        hours=_hours(table.table("hours")),
        offer=_offer(table.table("offer")) if "offer" in table else None,
        hold_for=_hold_for(table.table("send"), stored),
        priority=_priority(table),
        stays_if=_stays_if(table),
        exit_when=_predicate(table, "exit_when"),
        goal_when=_predicate(table, "goal_when"),
        reentry=_reentry(table),
        holdout=_holdout(table),
        max_per_person=table.count("max_per_person", USUAL.max_per_person, PAUSE),
        per_days=table.count("per_days", USUAL.per_days, PAUSE),
        expires_after=_plain_time(table, "expires_after", USUAL.expires_after),
        extras=_words(table.table("words")),
    )
    if campaign.market == "b2c" and "account" in table:
        mend = 'remove [account], or set market = "b2b"'
        table.wrong("account", "[account] is for B2B sequences, this is a B2C promotion", mend)
    return (None if table.file.problems else campaign), table.file.in_order()


def _market(table: TomlTable) -> Literal["b2b", "b2c"]:
    market = table.require("market", str)
    if market is not None:
        table.choice(market, "market", ("b2b", "b2c"), "the market")
    return "b2c" if market == "b2c" else "b2b"


def _steps(table: TomlTable, letters: frozenset[str]) -> tuple[Step, ...]:
    mend = 'write [[steps]] and below it letter = "…"'
    tables = [] if table.missing("steps") else table.tables("steps", mend)
    if table.values.get("steps") == []:
        table.wrong("steps", "a campaign has steps", mend)
    steps: list[Step] = []
    for one in tables:
        one.expect_only(("letter", "roles", "wait", "when", "after", "patience", "if_late"))
        letter = one.require("letter", str) or ""
        if letter and letter not in letters:
            meant = difflib.get_close_matches(letter, letters, n=1)
            make = f"make the folder {letter}/ with subject.txt, body.txt and body.html"
            mend = f"did you mean {meant[0]}?" if meant else make
            one.wrong("letter", f"the letter “{letter}” has no folder", mend)
        if letter and letter in [earlier.letter for earlier in steps]:
            what = f"the letter “{letter}” is in two steps; nobody gets a letter twice"
            one.wrong("letter", what, "give the second its own letter")
        steps.append(
            Step(
                letter,
                one.choices("roles", ROLES, "the role"),
                one.span("wait") or Span(),
                _predicate(one, "when"),
                _plain_time(one, "patience", Step("").patience),
                _after(one.table("after")) if "after" in one else None,
                _if_late(one),
            )
        )
    return tuple(steps)


def _after(table: TomlTable) -> After:
    table.expect_only(("roles", "did"))
    roles = table.choices("roles", ROLES, "the role")
    did = table.get("did", str, "clicked")
    table.choice(did, None, COLLEAGUES_DID, "what they did,")
    if not table.values.get("roles"):
        table.wrong(None, "after names no role", 'write after = { roles = ["specifier"], did = "clicked" }')
    return After(roles, did)


def _if_late(table: TomlTable) -> str:
    said = table.get("if_late", str, Step("").if_late)
    table.choice(said, "if_late", IF_LATE, "what happens to a late letter,")
    return said


def _priority(table: TomlTable) -> int:
    priority = table.get("priority", int, USUAL.priority)
    if not 0 <= priority <= 100:
        table.wrong("priority", f"priority {priority} is not between 0 and 100", "50 is usual, 100 goes first")
        return USUAL.priority
    return priority


def _reentry(table: TomlTable) -> Reentry:
    said = table.get("reentry", str, "never")
    if said in ("never", "new version"):
        return Reentry(on_version=said == "new version")
    span = duration(said)
    if span is None or span.business_days or not span.time:
        mend = 'write "never", "new version", or how long after the end, like "P180D"'
        table.wrong("reentry", f"reentry “{said}” is not known", mend)
        return Reentry()
    return Reentry(after=span.time)


def _predicate(table: TomlTable, key: str) -> str | None:
    value = table.get(key, str, None)
    if value is None:
        return None
    for what in predicate_problems(value):
        table.wrong(key, what, "docs/audience.md lists the columns")
    return value


def predicate_problems(predicate: str) -> list[str]:
    """What is wrong with a predicate over the audience view, in words."""
    if not predicate.strip():
        return ["the condition is empty"]
    return list(audience_predicate.problems(predicate))


def _stays_if(table: TomlTable) -> str | None:
    """What keeps a lead inside: a condition, or "always"; None: the audience itself."""
    return ALWAYS if table.values.get("stays_if") == ALWAYS else _predicate(table, "stays_if")


def _plain_time(table: TomlTable, key: str, default: timedelta) -> timedelta:
    span = table.span(key)
    if span is None:
        return default
    if span.business_days:
        table.wrong(key, f"{key} counts plain days, not business days", "write P7D")
        return default
    return span.time


def _holdout(table: TomlTable) -> float:
    share = table.number("holdout", 0.0)
    if not 0 <= share <= 0.5:
        what = f"holdout {share} is not a share between 0 and 0.5"
        table.wrong("holdout", what, "0.1 keeps every tenth account (B2B) or person (B2C) unmailed")
        return 0.0
    return float(share)


def _account(table: TomlTable) -> AccountPolicy:
    table.expect_only(("max_contacts_per_day", "stop_all_on", "needs_roles", "exclusive", "outranked"))
    policy = AccountPolicy()
    outranked = table.get("outranked", str, policy.outranked)
    table.choice(outranked, "outranked", ("wait", "leave"), "what the outranked do,")
    return AccountPolicy(
        table.count("max_contacts_per_day", policy.max_contacts_per_day, PAUSE),
        table.choices("stop_all_on", STOPS, "the stop", policy.stop_all_on),
        table.choices("needs_roles", ROLES, "the role"),
        table.get("exclusive", bool, policy.exclusive),
        outranked,
    )


def _hours(table: TomlTable) -> Hours:
    table.expect_only(("start", "end", "days"))
    usual = Hours()
    start, end = (
        table.parsed(key, time, time.fromisoformat, "a time of day", 'write "18:00"') or getattr(usual, key)
        for key in ("start", "end")
    )
    if start >= end:
        what = f"the hours end ({end:%H:%M}) before they start ({start:%H:%M})"
        table.wrong("end", what, "end later on the same day")
    days = table.choices("days", DAYS, "the day", [DAYS[day - 1] for day in usual.days])
    if not days:
        mend = 'days = ["mon", "tue", "wed", "thu", "fri"]'
        table.wrong("days", "no day is left on which a letter may leave", mend)
    return Hours(start, end, tuple(sorted({DAYS.index(day) + 1 for day in days})))


def _offer(table: TomlTable) -> Offer | None:
    table.expect_only(("code", "percent", "ends_on", "url"))
    code = table.require("code", str)
    if "ends_on" not in table:
        table.wrong(None, "the offer has no end", "add ends_on = 2026-03-20, the last day on which it holds")
    ends_on = table.parsed("ends_on", date, date.fromisoformat, "a date", "write 2026-03-20")
    percent = table.get("percent", int, None)
    if percent is not None and not 1 <= percent <= 100:
        table.wrong("percent", f"offer.percent {percent} is not between 1 and 100", "15 is fifteen percent")
    url = table.get("url", str, None)
    if url is not None and not url.startswith("https://"):
        table.wrong("url", f"offer.url “{url}” is not a safe link", "begin it with https://")
    return Offer(code, ends_on, percent, url) if code and ends_on else None


def _sender(table: TomlTable) -> Sender | None:
    table.expect_only(("name", "email", "reply_to"))
    name, email = table.require("name", str), table.require("email", str)
    reply_to = table.get("reply_to", str, None)
    for key, value in (("email", email), ("reply_to", reply_to)):
        if value is not None and not ADDRESS.fullmatch(value):
            table.wrong(key, f"sender.{key} “{value}” is not an address", "write name@company.example")
    return Sender(name, email, reply_to) if name and email else None


def _hold_for(table: TomlTable, stored: bool) -> timedelta:
    """How long before its time a letter is given to the provider; zero: it is not."""
    key = next(
        (old for old, new in RENAMED["send"].items() if stored and old in table and new not in table), "hold_for"
    )
    table.expect_only((key,), RENAMED["send"])
    held = _plain_time(table, key, USUAL.hold_for)
    if held and not SHORTEST <= held <= LONGEST:
        what = f"{table.name_of(key)} “{table.values[key]}” is not between PT20M and P2D"
        table.wrong(key, what, 'write "PT30M": the provider needs ten minutes, and keeps letters for three days')
        return USUAL.hold_for
    return held


def _words(table: TomlTable) -> dict[str, str]:
    return {key: table.get(key, str, "") for key in table}


def read_files(files: Mapping[str, str], slug: str) -> Campaign:
    """The campaign among the files that a version stored, old names of keys included. Raises CampaignError."""
    campaign, problems = find_campaign(files, slug, stored=True)
    if campaign is None:
        raise CampaignError(problems)
    return campaign


def find_campaign(files: Mapping[str, str], slug: str, stored: bool = False) -> tuple[Campaign | None, list[Problem]]:
    """The campaign among these files and what is wrong with it. `stored`: they are a published version's."""
    file = f"{slug}/campaign.toml"
    if file not in files:
        return None, [
            Problem(file, None, f"there is no campaign “{slug}”", f"make the folder {slug}/ with a campaign.toml")
        ]
    letters = frozenset(path.split("/")[1] for path in files if path.startswith(f"{slug}/") and path.count("/") == 2)
    return parse(files[file], file, slug, letters, stored)
