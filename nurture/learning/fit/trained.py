"""What a training makes: a scorer with everything known about how it came to be, or the reason why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nurture.learning.fit.model_selection import ModelCandidate
from nurture.learning.fit.prepare import RowCounts
from nurture.learning.fit.scorer import Scorer
from nurture.learning.leaks.finding import LeakFinding
from nurture.learning.metrics import Figures, Floats, Ints
from nurture.learning.training_data.schema import Column


@dataclass(frozen=True)
class NothingLearned:
    """Nothing was learned. `reason` is one sentence for people; the rules stay in charge."""

    reason: str
    findings: tuple[LeakFinding, ...] = ()
    row_counts: RowCounts | None = None


@dataclass(frozen=True)
class ColumnHints:
    """What is known of columns that we made ourselves, so that it need not be guessed from the data."""

    together: Mapping[str, str]  # raw column → the family of columns that are one reason
    zero: frozenset[str] = frozenset()  # columns compared with nothing at all instead of with a typical lead


@dataclass(frozen=True)
class Evaluation:
    """How the recipe did on m leads it had not seen: what the report shows, and what a champion is compared on."""

    y: Floats  # shape (m,): 1.0 or 0.0
    p: Floats  # shape (m,): probabilities
    moment: Floats | None  # shape (m,): days since 2000-01-01
    rules: Floats | None  # shape (m,): the score the customer already had
    rows: Ints  # shape (m,): which rows of the frame given to train()
    apart: bool  # kept apart (otherwise out-of-fold)
    trained: Floats  # the scores of the leads learned from, out-of-fold where there are such
    p_blank: Floats | None = None  # shape (m,): probabilities while the doubtful columns are blank; None without such


@dataclass(frozen=True)
class TrainedScorer:
    """A scorer and everything known about how it came to be."""

    scorer: Scorer
    evaluation: Evaluation
    figures: Figures
    findings: tuple[LeakFinding, ...]
    unused: tuple[Column, ...]  # columns nothing can be learned from, each with its reason
    candidates: tuple[ModelCandidate, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    doubtful: tuple[str, ...] = ()  # columns learned from that may not be known when a lead comes in
