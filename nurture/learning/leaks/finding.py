"""What is said about a column that may know the outcome beforehand, and what it costs to do without it."""

from dataclasses import dataclass, replace
from typing import NamedTuple, NotRequired, TypedDict


class LeakCost(NamedTuple):
    """AUC of trees on all honest columns and this one: with it, with it blank as on the day a lead comes, without."""

    with_it: float
    blank: float
    without: float

    @property
    def sentence(self) -> str:
        """The three figures, for people."""
        return f"AUC {self.with_it:.3f} with it, {self.blank:.3f} while it is blank, {self.without:.3f} without it"


class SavedFinding(TypedDict):
    """A leak finding as JSON."""

    column: str
    left_out: bool
    why: str
    alone: float
    cost: NotRequired[dict[str, float]]


@dataclass(frozen=True)
class LeakFinding:
    """What the guard says about a column: `left_out`, or only worth a look. `alone` is its AUC by itself."""

    column: str
    left_out: bool
    why: str
    alone: float
    cost: LeakCost | None = None

    def as_dict(self) -> SavedFinding:
        """The finding as JSON."""
        saved: SavedFinding = {
            "column": self.column, "left_out": self.left_out, "why": self.why, "alone": round(self.alone, 4)
        }  # fmt: skip
        if self.cost:
            saved["cost"] = {name: round(value, 4) for name, value in self.cost._asdict().items()}
        return saved

    def kept(self) -> "LeakFinding":
        """The same, of a column that stays because somebody said so."""
        return replace(self, left_out=False, why=f"{self.why} It is kept because you said so.")
