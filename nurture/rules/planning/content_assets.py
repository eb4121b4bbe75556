"""Which content asset is the best for a reader, of those they have not had yet? And for whom is there none?"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from models.contact import Market, Stage
from models.opportunity import OpportunityStage
from nurture.rules.segmentation.title_tables import TitleTables
from nurture.rules.segmentation.titles import UNKNOWN

STAGES: dict[str, tuple[str, ...]] = {  # how far a reader is, market by market, in this order
    Market.B2B: ("discovery", "evaluation", "purchase", "loyalty"),
    Market.B2C: ("awareness", "consideration", "membership"),
}
KINDS = (
    "white paper", "case study", "industry report", "webinar", "ROI sheet", "spec sheet", "tender kit", "training",
    "upgrade", "guide", "technical note", "checklist", "overview", "sample report", "appointment",
)  # fmt: skip
ANYTHING = "anything"  # what a letter asks for that takes the best of any kind
MOST_AHEAD = 1  # a asset for the stage before or after will do; one for two stages on will not
READ_AT = {
    Stage.LEAD: "discovery", Stage.MQL: "evaluation", Stage.SAL: "evaluation", Stage.SQL: "evaluation",
    Stage.OPPORTUNITY: "evaluation", Stage.CUSTOMER: "loyalty", Stage.RECYCLED: "discovery",
    Stage.AWARE: "awareness", Stage.CONSIDERING: "consideration", Stage.BUYER: "membership",
    Stage.MEMBER: "membership", Stage.LAPSED: "consideration",
}  # fmt: skip
READ_IN = {OpportunityStage.TENDER: "purchase", OpportunityStage.EVALUATION: "evaluation",
           OpportunityStage.QUOTE: "purchase", OpportunityStage.CONTRACT: "purchase"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ContentAsset:
    """One thing in the library. Nobody named in `roles` and `personas`: it is for everybody of its market."""

    slug: str
    kind: str
    stages: tuple[str, ...]
    roles: tuple[str, ...] = ()
    personas: tuple[str, ...] = ()
    languages: frozenset[str] = frozenset({"en"})

    def is_for(self, persona: str | None, roles: Collection[str | None]) -> bool:
        """Whether the asset is meant for this persona or one of these roles; naming neither, it is for everybody."""
        return not (self.roles or self.personas) or persona in self.personas or not set(roles).isdisjoint(self.roles)


class AssetReader(NamedTuple):
    """For whom an asset is looked for."""

    stage: str  # of STAGES
    language: str
    roles: tuple[str | None, ...] = ()  # what they do, and what their title says
    persona: str | None = None


@dataclass(frozen=True, slots=True)
class ContentRequest:
    """What a letter wants from the library: kinds it cannot do without, kinds it can, assets it names itself."""

    needed: tuple[str, ...] = ()
    wished: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    price: bool = False  # and from the price list

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind of asset that the letter asks for, the indispensable first."""
        return self.needed + self.wished


@dataclass(frozen=True, slots=True)
class ChosenAssets:
    """Kind asked for → asset; and the first kind of which none is left, although the letter needs it."""

    assets: dict[str, str] = field(default_factory=dict)
    lacking: str | None = None


def stage_of(market: str, stage: str | None, phase: str | None = None) -> str:
    """How far a lead is, as the library counts. An open deal that says how far it is knows best."""
    found = READ_IN.get(phase) or READ_AT.get(stage)  # type: ignore[call-overload]
    return found if found in STAGES[market] else STAGES[market][0]


def choose(
    library: Sequence[ContentAsset],
    asks: ContentRequest,
    reader: AssetReader,
    had: Collection[str],
    default: str = "en",
) -> ChosenAssets:
    """The assets a letter gets for this reader: none twice, none they have had. One question, one answer."""
    taken = set(had) | set(asks.named)
    assets: dict[str, str] = {}
    for kind in sorted(asks.kinds, key=lambda kind: (kind == ANYTHING, kind not in asks.needed, kind)):
        found = best(library, reader, taken, kind, default)
        if found:
            assets[kind] = found.slug
            taken.add(found.slug)
        elif kind in asks.needed:
            return ChosenAssets(assets, kind)
    return ChosenAssets(assets)


def best(
    library: Sequence[ContentAsset],
    reader: AssetReader,
    had: Collection[str],
    kind: str = ANYTHING,
    default: str = "en",
) -> ContentAsset | None:
    """The asset that fits best: nearest to their stage, in their language, meant for their persona, then their role;
    of equals the one that stands first in the library."""
    far = {stage: place for place, stage in _around(reader.stage)}
    fitting = [
        (min(far.get(stage, 9) for stage in asset.stages), reader.language not in asset.languages,
         reader.persona not in asset.personas, set(reader.roles).isdisjoint(asset.roles), place, asset)
        for place, asset in enumerate(library)
        if asset.slug not in had and kind in (ANYTHING, asset.kind) and asset.is_for(reader.persona, reader.roles)
        and not asset.languages.isdisjoint((reader.language, default))
    ]  # fmt: skip
    nearest = min(fitting, default=None, key=lambda row: row[:-1])
    return nearest[-1] if nearest and nearest[0] <= MOST_AHEAD else None


def _around(stage: str) -> list[tuple[int, str]]:
    """How far each stage of the same market is from this one."""
    order = next(order for order in STAGES.values() if stage in order)
    return [(abs(order.index(one) - order.index(stage)), one) for one in order]


class CoverageCell(NamedTuple):
    """What there is for one persona at one stage in one language. Nothing at all is a hole."""

    persona: str
    stage: str
    language: str
    assets: tuple[str, ...]  # made for it
    borrowed: tuple[str, ...]  # in the house's language only


def coverage(
    library: Iterable[ContentAsset], personas: Mapping[str, Collection[str]], stages: Sequence[str],
    languages: Sequence[str], default: str = "en",
) -> list[CoverageCell]:  # fmt: skip
    """The matrix persona × stage × language. `personas`: each with the roles that such people usually have."""
    assets = list(library)
    found = []
    for persona, roles in personas.items():
        for stage in stages:
            fits = [asset for asset in assets if stage in asset.stages and asset.is_for(persona, roles)]
            for language in languages:
                own = tuple(asset.slug for asset in fits if language in asset.languages)
                others = tuple(p.slug for p in fits if language not in p.languages and default in p.languages)
                found.append(CoverageCell(persona, stage, language, own, others))
    return found


def usual_roles(tables: TitleTables) -> dict[str, tuple[str, ...]]:
    """Every persona with the roles its titles lead to, in the order of personas.toml."""
    found: dict[str, set[str]] = {persona: set() for persona in tables.personas}
    for (function, seniority, role), rule in tables.persona_of.items():
        if rule.name in found and role == tables.role_of[function, seniority].name and role != UNKNOWN:
            found[rule.name].add(role)
    return {persona: tuple(sorted(roles)) for persona, roles in found.items()}
