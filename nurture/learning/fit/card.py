"""A model's card: plain data about how it came to be, in JSON beside the model."""

from typing import TypedDict

from nurture.learning.fit.prepare import RowCounts
from nurture.learning.leaks.finding import SavedFinding
from nurture.learning.training_data.point_in_time import SavedPlan


class SavedCandidate(TypedDict):
    """A way of learning that was tried, and how it did on unseen leads."""

    name: str
    log_loss: float
    auc: float


class SavedScale(TypedDict):
    """A score scale: see fit/score_scale.py."""

    mql: float
    anchor: float
    double: float
    fit: list[list[float]]
    engagement: list[list[float]]


class Within(TypedDict):
    """How well leads of one time were told apart."""

    auc: float
    auc_error: float  # one standard error


class Rejections(TypedDict):
    """Leads that sales turned down, and how often for which reason."""

    looks: int
    why: dict[str, int]


class NumberBaseline(TypedDict):
    """How a number field looked: shares of unknown, then bin by bin."""

    name: str
    owner: str
    watch: bool
    edges: list[float]
    shares: list[float]
    median: float | None


class LevelBaseline(TypedDict):
    """How a level field looked: shares of unknown, rare, then level by level."""

    name: str
    owner: str
    watch: bool
    levels: list[str]
    shares: list[float]


class ScoreBaseline(TypedDict):
    """How the scores looked."""

    edges: list[float]
    shares: list[float]
    mean: float


class Baseline(TypedDict):
    """How `rows` leads looked."""

    rows: int
    numbers: list[NumberBaseline]
    levels: list[LevelBaseline]
    score: ScoreBaseline


class ModelCard(TypedDict, total=False):
    """Everything a card may say. A model of a file has no plan, days, moments, rejections and scale."""

    label: str
    positive: str
    negative: str
    time: str | None
    group: str | None
    rows: int  # with a label
    positives: int
    row_counts: RowCounts
    data_cut: str | None  # the newest day it has learned from
    estimator: str
    calibration: str
    columns: list[str]
    figures: dict[str, float]
    within: Within
    kept_apart: bool  # judged on leads kept apart; otherwise out of fold
    findings: list[SavedFinding]
    unused: list[dict[str, str]]  # columns nothing can be learned from, with the reason
    candidates: list[SavedCandidate]
    importance: dict[str, float]  # raw column → AUC lost without it, the weightiest first
    seed: int
    baseline: Baseline
    plan: SavedPlan
    days: int  # within which a lead that converts counts as a yes
    moments: list[str]  # days, the newest first
    rejections: Rejections
    scale: SavedScale
    version: str
    made_at: str
    code: str  # the version of nurture that made it
    sha256: str  # of the model's bytes
