"""A trained scorer: reads any frame with its columns and says how likely each lead is to buy."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from nurture.learning.estimators.calibration import Calibrator
from nurture.learning.estimators.recipe import FittedModel
from nurture.learning.features.columns import RARE, FeatureReader, FeatureTable, encode
from nurture.learning.fit.card import ModelCard
from nurture.learning.fit.partial_effects import PartialEffects, TypicalLead
from nurture.learning.metrics import Floats
from nurture.learning.training_data.schema import read_categories

CHUNK = 50_000  # leads scored at a time, so that memory stays flat


class ColumnsMissing(ValueError):
    """The frame lacks most of what the model reads. Its message names the columns; map or add them."""


@dataclass(frozen=True)
class Scorer:
    """What training made. `card` is plain data about it."""

    learned: FittedModel
    calibrator: Calibrator
    typical: TypicalLead
    partial_effects: PartialEffects
    card: ModelCard = field(default_factory=lambda: ModelCard())

    @property
    def reader(self) -> FeatureReader:
        """How a frame becomes numbers and levels."""
        return self.learned.reader

    def score(self, frame: pl.DataFrame) -> Floats:
        """The probability to buy, 0–1, a value per row in the frame's order. Columns it lacks count as unknown.

        Raises ColumnsMissing when most of what the model knows is not there.
        """
        self.missing(frame)
        return np.concatenate([np.empty(0), *(self.score_table(table) for table in self.tables(frame))])

    def score_table(self, table: FeatureTable) -> Floats:
        """The probability to buy, 0–1, of every lead of a table, shape (n,)."""
        return self.calibrator(self.learned.log_odds(table))

    def tables(self, frame: pl.DataFrame) -> Iterator[FeatureTable]:
        """The frame as tables of at most CHUNK leads."""
        for part in frame.iter_slices(CHUNK):
            yield self.reader.read(part)

    def missing(self, frame: pl.DataFrame) -> list[str]:
        """Columns the model reads and the frame lacks, the weightiest first; ColumnsMissing if they are most of it."""
        gone = [one for one in self.reader.owners if one not in frame.columns]
        if not gone:
            return []
        weight: dict[str, float] = self.card.get("importance", {})
        total = sum(weight.values())
        lost = sum(weight.get(one, 0.0) for one in gone) / total if total else len(gone) / len(self.reader.owners)
        gone.sort(key=lambda one: -weight.get(one, 0.0))
        if len(gone) == len(self.reader.owners) or lost > 0.5:
            raise ColumnsMissing(
                f"{len(gone)} of the {len(self.reader.owners)} columns the model reads are missing, "
                f"with {lost:.0%} of what it knows: "
                + ", ".join(f'"{one}"' for one in gone[:8])
                + (" …" if len(gone) > 8 else "")
            )
        return gone

    def strange(self, frame: pl.DataFrame) -> dict[str, int]:
        """Per category column: leads with a value that training knew hardly or not at all."""
        found = {}
        for one in self.reader.levels:
            if one.how == "value" and one.owner in frame.columns:
                found[one.owner] = int(np.sum(encode(read_categories(frame[one.owner]), one.levels) == RARE))
        return {owner: leads for owner, leads in found.items() if leads}
