"""The ledger's arithmetic and its pages: planned = accepted + skipped + refused + unknown + waiting, per step."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from models.delivery_states import LEDGER, State
from models.message import SALES
from models.queries.ledger import FunnelCount, MessageCount
from nurture.rules.reasons import ALL_SENTENCES

GROUPS = ("accepted", "skipped", "refused", "unknown", "waiting")
FUNNEL = ("entered", "mailed", "delivered", "opened", "clicked", "replied", "unsubscribed", "handed_over", "taken",
          "bought", "deals")  # fmt: skip
REACTIONS = frozenset({"delivered", "opened", "clicked", "replied", "bounced", "complained"})


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One step of one campaign version: how many messages were planned, and in which of five groups they are now.

    As JSON this is the documented line of `nurture ledger --json`.
    """

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
        """Is every planned message in exactly one group?"""
        return self.planned == sum(self.count(group) for group in GROUPS)

    def count(self, group: str) -> int:
        """How many messages are in a group, or "planned"."""
        counted: int = getattr(self, group)
        return counted


@dataclass(frozen=True, slots=True)
class CampaignFunnel:
    """How far a campaign's people came. From delivered to complained: messages; deals: opportunities; else people."""

    campaign: str
    entered: int = 0
    mailed: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    replied: int = 0
    bounced: int = 0
    complained: int = 0
    unsubscribed: int = 0
    handed_over: int = 0
    taken: int = 0
    bought: int = 0
    earned_cents: int = 0
    deals: int = 0

    def count(self, stage: str) -> int:
        """One figure, by its name in FUNNEL."""
        counted: int = getattr(self, stage)
        return counted


def ledger(counts: Iterable[MessageCount]) -> list[LedgerLine]:
    """A line per step, from messages counted by state and reason, in the order in which the steps come."""
    steps: dict[tuple[str, int, int, str], list[MessageCount]] = {}
    for count in counts:
        steps.setdefault((count.campaign, count.version, count.step, count.letter), []).append(count)
    return [_line(step) for step in steps.values()]


def _line(counts: Sequence[MessageCount]) -> LedgerLine:
    """The line of one step."""
    groups: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for count in counts:
        group = LEDGER[State(count.state)]
        groups[group] += count.n
        if group in ("skipped", "refused"):
            reasons[count.reason or "not given"] += count.n
    step = counts[0]
    return LedgerLine(
        step.campaign,
        step.version,
        step.step,
        step.letter,
        planned=sum(count.n for count in counts),
        accepted=groups["accepted"],
        skipped=groups["skipped"],
        refused=groups["refused"],
        unknown=groups["unknown"],
        waiting=groups["waiting"],
        reasons=dict(sorted(reasons.items())),
    )


def funnels(counts: Iterable[FunnelCount], campaigns: Collection[str]) -> list[CampaignFunnel]:
    """The funnel of each of these campaigns, and of every other that people entered or got letters of, by name."""
    figures: dict[str, Counter[str]] = {slug: Counter() for slug in campaigns}
    reactions: list[FunnelCount] = []
    for count in counts:
        if count.stage in FUNNEL_ONLY:
            figures.setdefault(count.campaign, Counter())[count.stage] += count.n
        elif count.stage in REACTIONS:
            reactions.append(count)
    for count in reactions:
        if count.campaign in figures:
            figures[count.campaign][count.stage] += count.n
    return [CampaignFunnel(slug, **figures[slug]) for slug in sorted(figures)]


FUNNEL_ONLY = frozenset(CampaignFunnel.__dataclass_fields__) - REACTIONS - {"campaign"}  # counted in people or deals


def campaign_title(campaign: str) -> str:
    """How a campaign is called on a page."""
    return "(mails to sales)" if campaign == SALES else campaign


def describe_reasons(reasons: Mapping[str, int]) -> str:
    """The reasons of a line in words, most frequent first: "120 × has not agreed to be mailed"."""
    words: Mapping[str, str] = ALL_SENTENCES
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{n:,} × {words.get(reason, reason)}" for reason, n in ranked)


def count_reasons(lines: Iterable[LedgerLine]) -> dict[str, dict[str, int]]:
    """Letters skipped or refused, by reason and campaign, most frequent first: {"holdout": {"spring-sale": 120}}."""
    counted: dict[str, dict[str, int]] = {}
    for line in lines:
        for reason, n in line.reasons.items():
            by_campaign = counted.setdefault(reason, {})
            by_campaign[line.campaign] = by_campaign.get(line.campaign, 0) + n
    return dict(sorted(counted.items(), key=lambda item: (-sum(item[1].values()), item[0])))


def reasons_page(lines: Sequence[LedgerLine]) -> str:
    """The same as a Markdown page: every letter that was not sent counts under exactly one reason."""
    words: Mapping[str, str] = ALL_SENTENCES
    page = ["| reason | in words | letters | where |", "|---|---|--:|---|"]
    for reason, where in count_reasons(lines).items():
        places = ", ".join(f"{campaign_title(campaign)} {n:,}" for campaign, n in sorted(where.items()))
        page.append(f"| `{reason}` | {words.get(reason, 'not on the list')} | {sum(where.values()):,} | {places} |")
    total = sum(n for line in lines for n in line.reasons.values())
    page.append(f"| **all** | | **{total:,}** | |")
    return "\n".join(page)


def ledger_page(lines: Sequence[LedgerLine], funnel: Sequence[CampaignFunnel]) -> str:
    """The ledger and the funnel as a Markdown page for Prefect: figures only, no people."""
    figures = ("planned", *GROUPS)
    page = [
        "## Ledger",
        "",
        "planned = accepted + skipped + refused + unknown + waiting",
        "",
        "| campaign | v | step | letter | planned | accepted | skipped | refused | unknown | waiting | why not sent |",
        "|---|---|---|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for line in lines:
        place = f"{campaign_title(line.campaign)} | {line.version} | {line.step + 1} | {line.letter}"
        counted = " | ".join(f"{line.count(name):,}" for name in figures)
        page.append(f"| {place} | {counted} | {describe_reasons(line.reasons)} |")
    total = " | ".join(f"**{sum(line.count(name) for line in lines):,}**" for name in figures)
    wrong = "" if all(line.adds_up for line in lines) else "**does not add up**"
    page += [
        f"| **all** | | | | {total} | {wrong} |",
        "",
        "## Funnel",
        "",
        "| " + " | ".join(name.replace("_", " ") for name in ("campaign", *FUNNEL)) + " |",
        "|---" + "|--:" * len(FUNNEL) + "|",
    ]
    for row in funnel:
        page.append("| " + " | ".join([row.campaign, *(f"{row.count(name):,}" for name in FUNNEL)]) + " |")
    return "\n".join(page)
