"""One account's story in plain words: rows of the record become sentences, day by day, as sales would tell them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from models.contact import Stage
from models.message import State
from nurture.rules.feedback.reactions import NOT_A_FIT, NOT_NOW
from nurture.rules.reasons import SENTENCES, Reason

Row = Mapping[str, Any]

DID = {  # kind of activity → what one says once, and several times
    "page_view": ("visited our site", "visited {n} of our pages"),
    "pricing_view": ("looked at prices", "looked at prices {n} times"),
    "download": ("downloaded {what}", "downloaded {n} papers"),
    "webinar": ("attended the webinar {what}", "attended {n} webinars"),
    "form": ("filled in a form", "filled in {n} forms"),
    "demo_request": ("asked for a demo", "asked for a demo {n} times"),
    "email_open": ("opened a letter", "opened letters {n} times"),
    "email_click": ("followed a link", "followed {n} links"),
    "reply": ("replied", "replied {n} times"),
    "meeting": ("met us", "met us {n} times"),
    "careers_view": ("looked at our jobs", "looked at our jobs {n} times"),
}
QUIET = {"email_open"}  # told only when nothing louder happened that day: who clicks has opened
STAGES = {
    Stage.LEAD: "is a lead", Stage.MQL: "is ready for sales (MQL)", Stage.SAL: "is accepted by sales (SAL)",
    Stage.SQL: "is qualified by sales (SQL)", Stage.OPPORTUNITY: "is part of an opportunity",
    Stage.CUSTOMER: "is a customer", Stage.RECYCLED: "goes back to nurture",
}  # fmt: skip
STOPPED = {
    "reply": "somebody replied", "meeting_booked": "a meeting is booked", "opportunity_open": "an opportunity is open",
    "owner": "the owner said so",
}  # fmt: skip
GOODBYE = {
    "unsubscribe": "unsubscribed", "complaint": "marked a letter as spam", "bounce": "can no longer be reached by mail",
    "person": "was put on the do-not-mail list", "lifted": "wants our letters again",
}  # fmt: skip
ORDER = ("campaign", "pause", "letter", "held back", "deed", "goodbye", "role", "stage", "sales", "deal", "stop")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened. `kind`: one of ORDER; `who`: the people it is about, by name."""

    at: datetime
    kind: str
    sentence: str
    who: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {"at": self.at, "kind": self.kind, "sentence": self.sentence, "who": list(self.who)}


def letters(rows: Iterable[Row], names: Mapping[int, str], campaigns: Mapping[str, str], zone: ZoneInfo) -> list[Line]:
    """One line for a letter that went to several colleagues on one day."""
    lines = []

    def key(row: Row) -> tuple[Any, ...]:
        sent = row["state"] == State.ACCEPTED
        at = row["accepted_at"] or row["planned_at"]
        return at.astimezone(zone).date(), row["campaign"], row["letter"], row["state"], "" if sent else _reason(row)

    for (_, campaign, letter, state, reason), group in groupby(sorted(rows, key=key), key):
        some = list(group)
        who = tuple(sorted(names.get(row["contact_id"], "somebody") for row in some))
        at = min(row["accepted_at"] or row["planned_at"] for row in some)
        what = f"“{letter}” ({campaigns.get(campaign, campaign)})"
        if state == State.ACCEPTED:
            lines.append(Line(at, "letter", f"Letter {what} to {listed(who)}", who))
        elif state == State.UNKNOWN:
            lines.append(Line(at, "held back", f"Nobody knows yet whether {what} reached {listed(who)}", who))
        else:
            lines.append(Line(at, "held back", f"No {what} for {listed(who)}: {reason}", who))
    return lines


def _reason(row: Row) -> str:
    said = row["detail"] or (SENTENCES[Reason(row["reason"])] if row["reason"] in set(Reason) else row["reason"])
    return str(said or "no reason was kept")


def deeds(rows: Iterable[Row], names: Mapping[int, str], zone: ZoneInfo) -> list[Line]:
    """One line per person and day: "Zoë O'Brien followed 2 links and looked at prices"."""

    def key(row: Row) -> tuple[date, int]:
        return row["at"].astimezone(zone).date(), row["contact_id"]

    lines = []
    for (_, contact_id), group in groupby(sorted(rows, key=key), key):
        some = sorted(group, key=lambda row: row["at"])
        kinds: dict[str, list[Row]] = {}
        for row in some:
            kinds.setdefault(row["kind"], []).append(row)
        if len(kinds) > 1:
            kinds = {kind: found for kind, found in kinds.items() if kind not in QUIET}
        name = names.get(contact_id, "somebody")
        lines.append(Line(some[0]["at"], "deed", f"{name} {listed([_did(k, f) for k, f in kinds.items()])}", (name,)))
    return lines


def _did(kind: str, rows: Sequence[Row]) -> str:
    once, often = DID.get(kind, (kind.replace("_", " "), kind.replace("_", " ") + " ({n} times)"))
    named = sorted({row["detail"] for row in rows if row["detail"] and "://" not in row["detail"]})
    if kind in ("download", "webinar") and named:
        return once.format(what=listed([f"“{what}”" for what in named]))
    if len(rows) == 1:
        return once.format(what="a paper" if kind == "download" else "").strip()
    return often.format(n=len(rows))


def runs(rows: Iterable[Row], names: Mapping[int, str], campaigns: Mapping[str, str], zone: ZoneInfo) -> list[Line]:
    """Who entered a campaign and who left it, several people of one day on one line."""
    began: dict[tuple[Any, ...], list[Row]] = {}
    ended: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        began.setdefault((row["entered_at"].astimezone(zone).date(), row["campaign"], row["run"]), []).append(row)
        if row["ended_at"]:
            ended.setdefault((row["ended_at"].astimezone(zone).date(), row["campaign"], row["why"]), []).append(row)
    lines = []
    for (_, campaign, run), some in began.items():
        who = tuple(sorted(names.get(row["contact_id"], "somebody") for row in some))
        again = f", for the {ordinal(run)} time" if run > 1 else ""
        sentence = f"The sequence {campaigns.get(campaign, campaign)} begins for {listed(who)}{again}"
        lines.append(Line(min(row["entered_at"] for row in some), "campaign", sentence, who))
    for (_, campaign, why), some in ended.items():
        who = tuple(sorted(names.get(row["contact_id"], "somebody") for row in some))
        said = SENTENCES[Reason(why)] if why in set(Reason) else why
        sentence = f"The sequence {campaigns.get(campaign, campaign)} ends for {listed(who)}: {said}"
        lines.append(Line(max(row["ended_at"] for row in some), "campaign", sentence, who))
    return lines


def stages(moves: Iterable[tuple[int, str | None, str, datetime, str]], names: Mapping[int, str],
           zone: ZoneInfo) -> list[Line]:  # fmt: skip
    """Lifecycle moves; colleagues who move together stand on one line."""
    together: dict[tuple[Any, ...], list[tuple[str, datetime]]] = {}
    for contact_id, _was, to, at, why in moves:
        if why.startswith("sales:"):
            continue  # what sales said stands in a line of its own
        name = names.get(contact_id, "somebody")
        together.setdefault((at.astimezone(zone).date(), to, why), []).append((name, at))
    lines = []
    for (_, to, why), some in together.items():
        who = tuple(sorted(name for name, _ in some))
        words = STAGES.get(Stage(to), f"is {to}")
        if len(who) > 1:
            words = words.replace("is a ", "are each a ", 1).replace("is ", "are ", 1).replace("goes ", "go ", 1)
        lines.append(Line(some[0][1], "stage", f"{listed(who)} {words}{f': {why}' if why else ''}", who))
    return lines


def sales(handoffs: Iterable[Row], names: Mapping[int, str], owners: Mapping[str, str]) -> list[Line]:
    """What was offered to sales, and what they said."""
    lines = []
    for row in handoffs:
        name = names.get(row["contact_id"], "somebody")
        owner = owners.get(row["owner_email"], row["owner_email"])
        reasons = "; ".join(reason["text"] for reason in row["reasons"][:3])
        because = f". Why: {reasons}" if reasons else ""
        offered = f"{name} is offered to {owner}, score {row['score']:.0f} ({row['grade']}){because}"
        lines.append(Line(row["offered_at"], "sales", offered, (name,)))
        if row["decided_at"]:
            code, _, note = (row["decided_why"] or "").partition(": ")
            said = {"accepted": f"{owner} takes {name}", "recycled": f"{owner}: not now with {name}",
                    "rejected": f"{owner}: {name} is not a fit"}[row["state"]]  # fmt: skip
            told = "; ".join(part for part in ((NOT_NOW | NOT_A_FIT).get(code, code), note) if part)
            late = ", after the due time" if row["decided_at"] > row["due_at"] else ""
            lines.append(Line(row["decided_at"], "sales", f"{said}{late}{f' ({told})' if told else ''}", (name,)))
    return lines


def pauses(rows: Iterable[Row], by_address: Mapping[str, str], zone: ZoneInfo) -> list[Line]:
    lines = []
    for row in rows:
        until = f"{row['until'].astimezone(zone):%-d %B}"
        if row["address"] is not None:
            name = by_address.get(row["address"], "somebody")
            lines.append(Line(row["at"], "pause", f"{name} {row['why']}: no letters until {until}", (name,)))
        elif row["until"] <= row["at"]:
            lines.append(Line(row["at"], "pause", f"{row['by']} lets the account's letters go on"))
        else:
            lines.append(Line(row["at"], "pause", f"{row['by']} pauses the account until {until}: {row['why']}"))
    return lines


def deals(rows: Iterable[Row]) -> list[Line]:
    lines = []
    for row in rows:
        worth = f", {row['amount_cents'] / 100:,.0f} {row['currency']}" if row["amount_cents"] else ""
        lines.append(Line(row["opened_at"], "deal", f"An opportunity is opened: {row['name']}{worth}"))
        if row["closed_at"]:
            lines.append(Line(row["closed_at"], "deal", f"The opportunity {row['name']} is {row['outcome']}"))
    return lines


def goodbyes(rows: Iterable[Row], by_address: Mapping[str, str]) -> list[Line]:
    return [
        Line(row["at"], "goodbye", f"{(name := by_address.get(row['address'], 'somebody'))} "
                                   f"{GOODBYE.get(row['why'], row['why'])}", (name,))
        for row in rows
    ]  # fmt: skip


def ahead(rows: Iterable[Row], names: Mapping[int, str], campaigns: Mapping[str, str], zone: ZoneInfo) -> list[str]:
    """Letters that are planned and have not left."""
    return [
        f"“{row['letter']}” ({campaigns.get(row['campaign'], row['campaign'])}) to "
        f"{names.get(row['contact_id'], 'somebody')}, from {row['not_before'].astimezone(zone):%a %-d %b %H:%M} on"
        + (f": {_reason(row)}" if row["reason"] else "")
        for row in rows
    ]


def roles(rows: Iterable[Row], names: Mapping[int, str]) -> list[Line]:
    lines = []
    for row in rows:
        name = names.get(row["contact_id"], "somebody")
        was = f" (we thought: {row['was']})" if row["was"] and row["was"] != row["said"] else ""
        lines.append(Line(row["at"], "role", f"{row['by']} says: the {row['field']} of {name} is {row['said']}{was}",
                          (name,)))  # fmt: skip
    return lines


def role_changes(rows: Iterable[Row], names: Mapping[int, str]) -> list[Line]:
    """What the rules made of a new title, or of somebody's behaviour."""
    lines = []
    for row in rows:
        name = names.get(row["contact_id"], "somebody")
        was = f", no longer as {row['was']}" if row["was"] else ""
        why = f": {row['why'].partition(' → ')[0]}" if row["why"] else ""
        seen = f"is now seen as {row['becomes']}" if row["becomes"] else "has a role that we do not know any more"
        lines.append(Line(row["at"], "role", f"{name} {seen}{was}{why}", (name,)))
    return lines


def stopped(at: datetime, why: str | None) -> Line:
    return Line(at, "stop", f"All sequences to the account stop: {STOPPED.get(why or '', why)}")


def in_order(lines: Iterable[Line], since: datetime, until: datetime, zone: ZoneInfo) -> list[tuple[date, list[Line]]]:
    """Day by day where sales work; of one moment, the cause before what follows from it."""
    rank = {kind: place for place, kind in enumerate(ORDER)}
    kept = sorted((line for line in lines if since < line.at <= until), key=lambda one: (one.at, rank[one.kind]))
    return [(day, list(group)) for day, group in groupby(kept, lambda line: line.at.astimezone(zone).date())]


def listed(parts: Sequence[str]) -> str:
    """ "Zoë, Ruth and Ivan"; more than four are counted."""
    if len(parts) > 4:
        parts = [*parts[:3], f"{len(parts) - 3} others"]
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def ordinal(n: int) -> str:
    return f"{n}{'th' if 10 <= n % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"
