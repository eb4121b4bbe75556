"""Where a lead stands on the way from stranger to customer: the stages of both markets, in order, and their phases."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from models.activity import Deeds
from models.contact import Market, Stage
from nurture.rules.segmentation.segments import ENGAGED_KINDS, NextStage

Counts = Mapping[tuple[str, str], int]  # (market, stage) → contacts
PATH: dict[str, tuple[Stage, ...]] = {
    Market.B2B: (Stage.DISCOVERY, Stage.LEAD, Stage.MQL, Stage.SAL, Stage.SQL, Stage.OPPORTUNITY, Stage.CUSTOMER),
    Market.B2C: (Stage.AWARE, Stage.CONSIDERING, Stage.BUYER, Stage.MEMBER),
}
BESIDE: dict[str, Stage] = {
    Market.B2B: Stage.RECYCLED,
    Market.B2C: Stage.LAPSED,
}  # off the path
PHASE = {  # reach → act → convert → engage
    Stage.DISCOVERY: "reach", Stage.LEAD: "act", Stage.MQL: "act", Stage.SAL: "convert", Stage.SQL: "convert",
    Stage.OPPORTUNITY: "convert", Stage.CUSTOMER: "engage", Stage.RECYCLED: "act",
    Stage.AWARE: "reach", Stage.CONSIDERING: "act", Stage.BUYER: "convert", Stage.MEMBER: "engage",
    Stage.LAPSED: "reach",
}  # fmt: skip


def stage_by_behaviour(stage: str, done: Iterable[Deeds]) -> NextStage | None:
    """Where a business contact's own behaviour takes them: a stranger who reads us is a lead, an accepted lead who met
    us this month is qualified by sales."""
    if stage == Stage.DISCOVERY:
        first = next((deeds for deeds in done if deeds.kind in ENGAGED_KINDS), None)
        return NextStage(Stage.LEAD, f"has shown interest ({ENGAGED_KINDS[first.kind]})") if first else None
    if stage == Stage.SAL and any(deeds.kind == "meeting" and deeds.this_month for deeds in done):
        return NextStage(Stage.SQL, "has met sales")
    return None


@dataclass(frozen=True, slots=True)
class FunnelStage:
    """One stage of the funnel, in contacts. `reached`: came here or further. Shares 0–1; None where nobody could."""

    market: str
    phase: str
    stage: str
    here: int
    reached: int
    conversion: float | None  # share of `reached` that went on to a later stage of the path; beside it: that came back
    median_days: float | None  # in this stage, of those who left it

    def as_json(self) -> dict[str, str | int | float | None]:
        """The documented row of `nurture funnel --json`."""
        return asdict(self)


def funnel(
    here: Counts, furthest: Counts, visited: Counts, returned: Counts,
    stays: Mapping[tuple[str, str], Mapping[int, int]],
) -> list[FunnelStage]:  # fmt: skip
    """The funnel of both markets. All keys are (market, stage).

    `here`: who stands there. `furthest`: whose furthest stage of the path it is. `visited`, `returned`: for the stages
    beside the path, who was ever there and who left. `stays`: hours in the stage → how many stays of that length.
    """
    stages = []
    for market, path in PATH.items():
        reached = [sum(furthest.get((market, stage), 0) for stage in path[place:]) for place in range(len(path))]
        if not sum(reached) and not any(here.get((market, stage)) for stage in (*path, BESIDE[market])):
            continue
        for place, stage in enumerate(path):
            on = reached[place + 1] if place + 1 < len(path) else None
            stages.append(
                FunnelStage(market, PHASE[stage], stage, here.get((market, stage), 0), reached[place],
                     _share(on, reached[place]), median_days(stays.get((market, stage), {})))
            )  # fmt: skip
        aside = BESIDE[market]
        came = visited.get((market, aside), 0)
        stages.append(
            FunnelStage(market, PHASE[aside], aside, here.get((market, aside), 0), came,
                 _share(returned.get((market, aside), 0), came), median_days(stays.get((market, aside), {})))
        )  # fmt: skip
    return stages


def _share(part: int | None, whole: int) -> float | None:
    return None if part is None or not whole else round(part / whole, 4)


def median_days(hours: Mapping[int, int]) -> float | None:
    """The median of counted whole hours, in days; of an even number the lower middle."""
    total = sum(hours.values())
    seen = 0
    for length, n in sorted(hours.items()):
        seen += n
        if seen * 2 >= total:
            return round(length / 24, 1)
    return None


def markdown(stages: Sequence[FunnelStage]) -> str:
    """The funnel as a page: figures only."""
    page = [
        "| market | phase | stage | here | reached | went on | median days |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for stage in stages:
        share = "" if stage.conversion is None else f"{stage.conversion:.1%}"
        days = "" if stage.median_days is None else f"{stage.median_days:,.1f}"
        counts = f"{stage.here:,} | {stage.reached:,} | {share} | {days}"
        page.append(f"| {stage.market} | {stage.phase} | {stage.stage} | {counts} |")
    return "\n".join(page)
