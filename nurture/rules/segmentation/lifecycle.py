"""Where a lead stands on the way from stranger to customer: the stages of both markets, in order, and their phases."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.activity import Deeds
from models.contact import Market, Stage
from nurture.rules.segmentation.segments import READ, Move

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


def sign_of_life(stage: str, done: Iterable[Deeds]) -> Move | None:
    """Where a business contact's own behaviour takes them: a stranger who reads us is a lead, an accepted lead who met
    us this month is qualified by sales."""
    if stage == Stage.DISCOVERY:
        first = next((deeds for deeds in done if deeds.kind in READ), None)
        return Move(Stage.LEAD, f"has shown interest ({READ[first.kind]})") if first else None
    if stage == Stage.SAL and any(deeds.kind == "meeting" and deeds.this_month for deeds in done):
        return Move(Stage.SQL, "has met sales")
    return None


@dataclass(frozen=True, slots=True)
class Rung:
    """One stage of the funnel, in contacts. `reached`: came here or further. Shares 0–1; None where nobody could."""

    market: str
    phase: str
    stage: str
    here: int
    reached: int
    conversion: float | None  # share of `reached` that went on to a later stage of the path; beside it: that came back
    median_days: float | None  # in this stage, of those who left it

    def as_json(self) -> dict[str, Any]:
        """The documented row of `nurture funnel --json`."""
        return {name: getattr(self, name) for name in self.__slots__}


def funnel(
    here: Counts, furthest: Counts, visited: Counts, returned: Counts,
    stays: Mapping[tuple[str, str], Mapping[int, int]],
) -> list[Rung]:  # fmt: skip
    """The funnel of both markets. All keys are (market, stage).

    `here`: who stands there. `furthest`: whose furthest stage of the path it is. `visited`, `returned`: for the stages
    beside the path, who was ever there and who left. `stays`: hours in the stage → how many stays of that length.
    """
    rungs = []
    for market, path in PATH.items():
        reached = [sum(furthest.get((market, stage), 0) for stage in path[place:]) for place in range(len(path))]
        if not sum(reached) and not any(here.get((market, stage)) for stage in (*path, BESIDE[market])):
            continue
        for place, stage in enumerate(path):
            on = reached[place + 1] if place + 1 < len(path) else None
            rungs.append(
                Rung(market, PHASE[stage], stage, here.get((market, stage), 0), reached[place],
                     _share(on, reached[place]), median_days(stays.get((market, stage), {})))
            )  # fmt: skip
        aside = BESIDE[market]
        came = visited.get((market, aside), 0)
        rungs.append(
            Rung(market, PHASE[aside], aside, here.get((market, aside), 0), came,
                 _share(returned.get((market, aside), 0), came), median_days(stays.get((market, aside), {})))
        )  # fmt: skip
    return rungs


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


def markdown(rungs: Sequence[Rung]) -> str:
    """The funnel as a page: figures only."""
    page = [
        "| market | phase | stage | here | reached | went on | median days |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for rung in rungs:
        share = "" if rung.conversion is None else f"{rung.conversion:.1%}"
        days = "" if rung.median_days is None else f"{rung.median_days:,.1f}"
        page.append(
            f"| {rung.market} | {rung.phase} | {rung.stage} | {rung.here:,} | {rung.reached:,} | {share} | {days} |"
        )
    return "\n".join(page)
