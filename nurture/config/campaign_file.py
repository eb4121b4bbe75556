"""Reading campaign.toml: a marketer's file becomes a Campaign; every mistake is named with line and mend."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from datetime import date, time, timedelta
from typing import Any, Literal

from models.segment import ROLES
from nurture.config.toml_file import REQUIRED, Path, Problem, Reader, dotted, duration, lines
from nurture.rules.delivery.scheduled_send import LONGEST, SHORTEST
from nurture.rules.planning.campaign import AccountPolicy, After, Campaign, Hours, Offer, Reentry, Sender, Span, Step
from nurture.rules.planning.sequences import DID

USUAL = Campaign("", "", "b2b", "", "", ())  # what a file that says nothing gets
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
STOPS = ("reply", "opportunity_open", "meeting_booked", "contract")
ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+")


class CampaignError(Exception):
    """A campaign cannot be used. Mend what `problems` lists; each names its file and line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        first = problems[0]
        self.file, self.line, self.what, self.mend = first.file, first.line, first.what, first.mend
        super().__init__("\n".join(str(problem) for problem in problems))


TOP = ("name", "market", "goal", "goal_when", "audience", "exit_when", "reentry", "priority", "holdout",
       "max_per_person", "per_days", "expires_after", "account", "hours", "offer", "sender", "send", "words",
       "steps")  # fmt: skip


def parse(text: str, file: str, slug: str, letters: frozenset[str]) -> tuple[Campaign | None, list[Problem]]:
    """The campaign a text describes, and everything wrong with it. `letters` are the folders beside the file."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        line = int(at[1]) if at else len(text.splitlines())
        return None, [
            Problem(file, line, str(error).partition(" (at ")[0], "correct the TOML; texts stand in quotation marks")
        ]
    reader = Reader(file, lines(text))
    reader.known(table, (), TOP)
    campaign = Campaign(
        slug=slug,
        name=reader.take(table, (), "name", str, REQUIRED) or slug,
        market=_market(reader, table),
        goal=reader.take(table, (), "goal", str, REQUIRED) or "",
        audience=_predicate(reader, table, (), "audience", REQUIRED) or "",
        steps=_steps(reader, table, letters),
        sender=_sender(reader, table),
        account=_account(reader, table),
        hours=_hours(reader, table),
        offer=_offer(reader, table),
        lead=_lead(reader, table),
        priority=_priority(reader, table),
        exit_when=_predicate(reader, table, (), "exit_when", None),
        goal_when=_predicate(reader, table, (), "goal_when", None),
        reentry=_reentry(reader, table),
        holdout=_holdout(reader, table),
        max_per_person=_count(reader, table, (), "max_per_person", USUAL.max_per_person),
        per_days=_count(reader, table, (), "per_days", USUAL.per_days),
        expires_after=_plain_time(reader, table, (), "expires_after", USUAL.expires_after),
        extras=_words(reader, table),
    )
    if campaign.market == "b2c" and "account" in table:
        reader.wrong(
            ("account",),
            "[account] is for B2B sequences, this is a B2C promotion",
            'remove [account], or set market = "b2b"',
        )
    return (None if reader.problems else campaign), sorted(reader.problems, key=lambda p: p.line or 0)


def _market(reader: Reader, table: Mapping[str, Any]) -> Literal["b2b", "b2c"]:
    market = reader.take(table, (), "market", str, REQUIRED)
    if market is not None:
        reader.choose(market, ("market",), ("b2b", "b2c"), "the market")
    return "b2c" if market == "b2c" else "b2b"


def _steps(reader: Reader, table: Mapping[str, Any], letters: frozenset[str]) -> tuple[Step, ...]:
    listed = reader.take(table, (), "steps", list, REQUIRED)
    if listed == [] or (listed and not all(isinstance(step, dict) for step in listed)):
        reader.wrong(("steps",), "a campaign has steps", 'write [[steps]] and below it letter = "…"')
        return ()
    steps: list[Step] = []
    for number, step in enumerate(listed or ()):
        path = ("steps", number)
        reader.known(step, path, ("letter", "roles", "wait", "when", "after", "patience"))
        letter = reader.take(step, path, "letter", str, REQUIRED) or ""
        if letter and letter not in letters:
            meant = difflib.get_close_matches(letter, letters, n=1)
            mend = (
                f"did you mean {meant[0]}?"
                if meant
                else f"make the folder {letter}/ with subject.txt, body.txt and body.html"
            )
            reader.wrong((*path, "letter"), f"the letter “{letter}” has no folder", mend)
        if letter and letter in [earlier.letter for earlier in steps]:
            reader.wrong(
                (*path, "letter"),
                f"the letter “{letter}” is in two steps; nobody gets a letter twice",
                "give the second its own letter",
            )
        roles = reader.take(step, path, "roles", list, [])
        roles = tuple(role for role in roles if reader.choose(role, (*path, "roles"), ROLES, "the role"))
        patience = _plain_time(reader, step, path, "patience", Step("").patience)
        when = _predicate(reader, step, path, "when", None)
        after = _after(reader, step, path)
        steps.append(Step(letter, roles, reader.span(step, path, "wait") or Span(), when, patience, after))
    return tuple(steps)


def _after(reader: Reader, step: Mapping[str, Any], path: Path) -> After | None:
    after = reader.take(step, path, "after", dict, None)
    if after is None:
        return None
    here = (*path, "after")
    reader.known(after, here, ("roles", "did"))
    listed = reader.take(after, here, "roles", list, [])
    roles = tuple(role for role in listed if reader.choose(role, here, ROLES, "the role"))
    did = reader.take(after, here, "did", str, "clicked")
    reader.choose(did, here, DID, "what they did,")
    if not listed:
        reader.wrong(here, "after names no role", 'write after = { roles = ["specifier"], did = "clicked" }')
    return After(roles, did)


def _priority(reader: Reader, table: Mapping[str, Any]) -> int:
    priority = reader.take(table, (), "priority", int, USUAL.priority)
    if not 0 <= priority <= 100:
        reader.wrong(("priority",), f"priority {priority} is not between 0 and 100", "50 is usual, 100 goes first")
        return USUAL.priority
    return int(priority)


def _reentry(reader: Reader, table: Mapping[str, Any]) -> Reentry:
    said = reader.take(table, (), "reentry", str, "never")
    if said in ("never", "new version"):
        return Reentry(on_version=said == "new version")
    span = duration(said)
    if span is None or span.business_days or not span.time:
        mend = 'write "never", "new version", or how long after the end, like "P180D"'
        reader.wrong(("reentry",), f"reentry “{said}” is not known", mend)
        return Reentry()
    return Reentry(after=span.time)


def _predicate(reader: Reader, table: Mapping[str, Any], path: Path, key: str, default: Any) -> str | None:
    value: str | None = reader.take(table, path, key, str, default)
    if value is None:
        return None
    for what in predicate_problems(value):
        reader.wrong((*path, key), what, "docs/audience.md lists the columns")
    return value


def predicate_problems(predicate: str) -> list[str]:
    """What is wrong with a predicate over the audience view, in words."""
    if not predicate.strip():
        return ["the condition is empty"]
    try:
        from nurture.config import audience_predicate
    except ImportError:
        return []
    return list(audience_predicate.problems(predicate))


def _plain_time(reader: Reader, table: Mapping[str, Any], path: Path, key: str, default: timedelta) -> timedelta:
    span = reader.span(table, path, key)
    if span is None:
        return default
    if span.business_days:
        reader.wrong((*path, key), f"{key} counts plain days, not business days", "write P7D")
        return default
    return span.time


def _count(reader: Reader, table: Mapping[str, Any], path: Path, key: str, default: int) -> int:
    number = reader.take(table, path, key, int, default)
    if number < 1:
        reader.wrong((*path, key), f"{dotted(path, key)} should be at least 1", "to stop a campaign, pause it")
        return default
    return int(number)


def _holdout(reader: Reader, table: Mapping[str, Any]) -> float:
    share = reader.take(table, (), "holdout", (float, int), 0.0)
    if not 0 <= share <= 0.5:
        reader.wrong(
            ("holdout",), f"holdout {share} is not a share between 0 and 0.5", "0.1 keeps every tenth person unmailed"
        )
        return 0.0
    return float(share)


def _account(reader: Reader, table: Mapping[str, Any]) -> AccountPolicy:
    account = reader.take(table, (), "account", dict, {})
    path = ("account",)
    reader.known(account, path, ("max_contacts_per_day", "stop_all_on", "needs_roles", "exclusive", "outranked"))
    policy = AccountPolicy()
    stops = reader.take(account, path, "stop_all_on", list, list(policy.stop_all_on))
    roles = reader.take(account, path, "needs_roles", list, [])
    outranked = reader.take(account, path, "outranked", str, policy.outranked)
    reader.choose(outranked, (*path, "outranked"), ("wait", "leave"), "what the outranked do,")
    return AccountPolicy(
        _count(reader, account, path, "max_contacts_per_day", policy.max_contacts_per_day),
        tuple(stop for stop in stops if reader.choose(stop, (*path, "stop_all_on"), STOPS, "the stop")),
        tuple(role for role in roles if reader.choose(role, (*path, "needs_roles"), ROLES, "the role")),
        bool(reader.take(account, path, "exclusive", bool, policy.exclusive)),
        outranked,
    )


def _hours(reader: Reader, table: Mapping[str, Any]) -> Hours:
    hours = reader.take(table, (), "hours", dict, {})
    path = ("hours",)
    reader.known(hours, path, ("start", "end", "days"))
    usual = Hours()
    start, end = (_time(reader, hours, path, key, getattr(usual, key)) for key in ("start", "end"))
    if start >= end:
        reader.wrong(
            (*path, "end"),
            f"the hours end ({end:%H:%M}) before they start ({start:%H:%M})",
            "end later on the same day",
        )
    days = []
    for day in reader.take(hours, path, "days", list, [DAYS[d - 1] for d in usual.days]):
        if reader.choose(day, (*path, "days"), DAYS, "the day"):
            days.append(DAYS.index(day) + 1)
    if not days:
        reader.wrong(
            (*path, "days"), "no day is left on which a letter may leave", 'days = ["mon", "tue", "wed", "thu", "fri"]'
        )
    return Hours(start, end, tuple(sorted(set(days))))


def _time(reader: Reader, table: Mapping[str, Any], path: Path, key: str, default: time) -> time:
    value = reader.take(table, path, key, (time, str), default)
    if isinstance(value, str):
        try:
            value = time.fromisoformat(value)
        except ValueError:
            reader.wrong((*path, key), f"{dotted(path, key)} “{value}” is not a time of day", 'write "18:00"')
            return default
    return value  # type: ignore[no-any-return]


def _offer(reader: Reader, table: Mapping[str, Any]) -> Offer | None:
    offer = reader.take(table, (), "offer", dict, None)
    if offer is None:
        return None
    path = ("offer",)
    reader.known(offer, path, ("code", "percent", "ends_on", "url"))
    code = reader.take(offer, path, "code", str, REQUIRED)
    if "ends_on" not in offer:
        reader.wrong(path, "the offer has no end", "add ends_on = 2026-03-20, the last day on which it holds")
    ends_on = reader.take(offer, path, "ends_on", (date, str), None)
    if isinstance(ends_on, str):
        try:
            ends_on = date.fromisoformat(ends_on)
        except ValueError:
            reader.wrong((*path, "ends_on"), f"offer.ends_on “{ends_on}” is not a date", "write 2026-03-20")
            ends_on = None
    percent = reader.take(offer, path, "percent", int, None)
    if percent is not None and not 1 <= percent <= 100:
        reader.wrong((*path, "percent"), f"offer.percent {percent} is not between 1 and 100", "15 is fifteen percent")
    url = reader.take(offer, path, "url", str, None)
    if url is not None and not url.startswith("https://"):
        reader.wrong((*path, "url"), f"offer.url “{url}” is not a safe link", "begin it with https://")
    return Offer(code, ends_on, percent, url) if code and ends_on else None


def _sender(reader: Reader, table: Mapping[str, Any]) -> Sender | None:
    sender = reader.take(table, (), "sender", dict, None)
    if sender is None:
        return None
    path = ("sender",)
    reader.known(sender, path, ("name", "email", "reply_to"))
    name = reader.take(sender, path, "name", str, REQUIRED)
    email = reader.take(sender, path, "email", str, REQUIRED)
    reply_to = reader.take(sender, path, "reply_to", str, None)
    for key, value in (("email", email), ("reply_to", reply_to)):
        if value is not None and not ADDRESS.fullmatch(value):
            reader.wrong((*path, key), f"sender.{key} “{value}” is not an address", "write name@company.example")
    return Sender(name, email, reply_to) if name and email else None


def _lead(reader: Reader, table: Mapping[str, Any]) -> timedelta:
    send = reader.take(table, (), "send", dict, {})
    reader.known(send, ("send",), ("lead",))
    lead = _plain_time(reader, send, ("send",), "lead", USUAL.lead)
    if lead and not SHORTEST <= lead <= LONGEST:
        what = f"send.lead “{send['lead']}” is not between PT20M and P2D"
        reader.wrong(("send", "lead"), what, 'write "PT30M": the provider needs ten minutes, and holds for three days')
        return USUAL.lead
    return lead


def _words(reader: Reader, table: Mapping[str, Any]) -> dict[str, str]:
    words = reader.take(table, (), "words", dict, {})
    for key in words:
        reader.take(words, ("words",), key, str, "")
    return {key: value for key, value in words.items() if isinstance(value, str)}


def read_files(files: Mapping[str, str], slug: str) -> Campaign:
    """The campaign among these files, as a version stored them. Raises CampaignError with every mistake."""
    campaign, problems = look(files, slug)
    if campaign is None:
        raise CampaignError(problems)
    return campaign


def look(files: Mapping[str, str], slug: str) -> tuple[Campaign | None, list[Problem]]:
    """The campaign among these files and what is wrong with it."""
    file = f"{slug}/campaign.toml"
    if file not in files:
        return None, [
            Problem(file, None, f"there is no campaign “{slug}”", f"make the folder {slug}/ with a campaign.toml")
        ]
    letters = frozenset(path.split("/")[1] for path in files if path.startswith(f"{slug}/") and path.count("/") == 2)
    return parse(files[file], file, slug, letters)
