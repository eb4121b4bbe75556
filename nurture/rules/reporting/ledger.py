"""The ledger's arithmetic and its pages: planned = accepted + skipped + refused + unknown + waiting, per step."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from models.message import LEDGER, SALES, State
from nurture.rules.reasons import SENTENCES

FUNNEL = ("entered", "mailed", "delivered", "opened", "clicked", "replied", "unsubscribed", "handed_over", "taken",
          "bought", "deals")  # fmt: skip
GROUPS = ("accepted", "skipped", "refused", "unknown", "waiting")


@dataclass(slots=True)
class Line:
    """One step of one campaign version."""

    campaign: str
    version: int
    step: int
    letter: str
    planned: int = 0
    accepted: int = 0
    skipped: int = 0
    refused: int = 0
    unknown: int = 0
    waiting: int = 0
    reasons: dict[str, int] = field(default_factory=dict)  # of the skipped and refused

    @property
    def adds_up(self) -> bool:
        return self.planned == sum(int(getattr(self, group)) for group in GROUPS)

    def as_json(self) -> dict[str, Any]:
        """The documented line of `nurture ledger --json`."""
        figures = {group: getattr(self, group) for group in GROUPS}
        return {
            "campaign": self.campaign,
            "version": self.version,
            "step": self.step,
            "letter": self.letter,
            "planned": self.planned,
            **figures,
            "reasons": dict(sorted(self.reasons.items())),
        }


def ledger(counts: Iterable[Mapping[Any, Any]]) -> list[Line]:
    """Lines from counted states: rows of campaign, version, step, letter, state, reason, n."""
    lines: dict[tuple[str, int, int, str], Line] = {}
    for row in counts:
        key = (row["campaign"], row["version"], row["step"], row["letter"])
        line = lines.setdefault(key, Line(*key))
        group = LEDGER[State(row["state"])]
        line.planned += row["n"]
        setattr(line, group, getattr(line, group) + row["n"])
        if group in ("skipped", "refused"):
            reason = row["reason"] or "not given"
            line.reasons[reason] = line.reasons.get(reason, 0) + row["n"]
    return list(lines.values())


def title(campaign: str) -> str:
    """How a campaign is called on a page."""
    return "(mails to sales)" if campaign == SALES else campaign


def because(reasons: Mapping[str, int]) -> str:
    """The reasons of a line in words, most frequent first: "120 × has not agreed to be mailed"."""
    words: Mapping[str, str] = {reason.value: said for reason, said in SENTENCES.items()}
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{n:,} × {words.get(reason, reason)}" for reason, n in ranked)


def reasons(lines: Iterable[Line]) -> dict[str, dict[str, int]]:
    """Letters skipped or refused, by reason and campaign, most frequent first: {"holdout": {"spring-sale": 120}}."""
    counted: dict[str, dict[str, int]] = {}
    for line in lines:
        for reason, n in line.reasons.items():
            by_campaign = counted.setdefault(reason, {})
            by_campaign[line.campaign] = by_campaign.get(line.campaign, 0) + n
    return dict(sorted(counted.items(), key=lambda item: (-sum(item[1].values()), item[0])))


def skips_by_reason(lines: Iterable[Line]) -> str:
    """The same as a page: every letter that was not sent counts under exactly one reason."""
    lines = list(lines)
    words: Mapping[str, str] = {reason.value: said for reason, said in SENTENCES.items()}
    page = ["| reason | in words | letters | where |", "|---|---|--:|---|"]
    for reason, where in reasons(lines).items():
        places = ", ".join(f"{title(campaign)} {n:,}" for campaign, n in sorted(where.items()))
        page.append(f"| `{reason}` | {words.get(reason, 'not on the list')} | {sum(where.values()):,} | {places} |")
    total = sum(n for line in lines for n in line.reasons.values())
    page.append(f"| **all** | | **{total:,}** | |")
    return "\n".join(page)


def markdown(lines: Iterable[Line], funnel: Iterable[Mapping[Any, Any]]) -> str:
    """The ledger and the funnel as a page for Prefect: figures only, no people."""
    lines = list(lines)
    page = [
        "## Ledger",
        "",
        "planned = accepted + skipped + refused + unknown + waiting",
        "",
        "| campaign | v | step | letter | planned | accepted | skipped | refused | unknown | waiting | why not sent |",
        "|---|---|---|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for line in lines:
        figures = " | ".join(f"{getattr(line, name):,}" for name in ("planned", *GROUPS))
        place = f"{title(line.campaign)} | {line.version} | {line.step + 1} | {line.letter}"
        page.append(f"| {place} | {figures} | {because(line.reasons)} |")
    total = " | ".join(f"**{sum(getattr(line, name) for line in lines):,}**" for name in ("planned", *GROUPS))
    page += [
        f"| **all** | | | | {total} | {'' if all(line.adds_up for line in lines) else '**does not add up**'} |",
        "",
    ]
    columns = ("campaign", *FUNNEL)
    page += [
        "## Funnel",
        "",
        "| " + " | ".join(name.replace("_", " ") for name in columns) + " |",
        "|---" + "|--:" * (len(columns) - 1) + "|",
    ]
    for row in funnel:
        page.append(
            "| "
            + " | ".join(f"{row.get(name, 0):,}" if name != "campaign" else str(row[name]) for name in columns)
            + " |"
        )
    return "\n".join(page)
