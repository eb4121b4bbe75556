"""Which leads became customers? Reads yes/no, Won/Lost, 1/0, true/false and the like from a column nobody prepared."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from nurture.learning.metrics import Bools, Floats

YES = frozenset([
    "1", "1.0", "y", "yes", "true", "t", "won", "win", "converted", "convert", "success", "successful", "sold",
    "bought", "customer", "accepted", "positive", "ja", "si", "sí", "da", "oui", "wahr", "verdadero", "是", "真",
    "成交", "closed won", "closed-won", "opportunity won", "gewonnen", "verkauft", "abgeschlossen", "ganado", "ganada",
    "vendido", "câștigat", "castigat", "vândut", "gagné", "赢单",
])  # fmt: skip
NO = frozenset([
    "0", "0.0", "-1", "n", "no", "false", "f", "lost", "loss", "lose", "unconverted", "fail", "failed", "failure",
    "unsold", "rejected", "negative", "nein", "nu", "non", "falsch", "falso", "否", "假", "未成交", "closed lost",
    "closed-lost", "not converted", "no sale", "opportunity lost", "not won", "not sold", "did not convert", "verloren",
    "perdido", "perdida", "pierdut", "perdu", "输单",
])  # fmt: skip
OPEN = re.compile(  # words of a deal that is not decided: unknown, never lost
    r"\b(open|pending|in progress|ongoing|active|new|working|negotiat\w*|propos\w*|qualif\w*|prospect\w*|contacted|"
    r"undecided|waiting|on hold|nurtur\w*|offen|laufend|in bearbeitung|neu|abiert[oa]|en curso|pendiente|nuev[oa]|"
    r"deschis[ăa]?|în curs|in curs|nou[ăa]?|ouvert|en cours)\b|进行中|跟进|未定|打开"
)
SHOWN = 8  # values named in an error


class UnreadableLabels(ValueError):
    """The column cannot be read as two outcomes. The message names its values and what to write instead."""


@dataclass(frozen=True)
class Labels:
    """What became of n leads; `positive` and `negative` as the file writes them."""

    y: Floats  # shape (n,): 1, 0 or NaN (unknown: an open lead is not a lost one)
    positive: str
    negative: str
    others: tuple[tuple[str, int], ...] = ()  # values that mean neither, and how many rows have each

    @property
    def known(self) -> Bools:
        """Which rows say what became of the lead, shape (n,)."""
        return ~np.isnan(self.y)


def read_labels(column: pl.Series, positive: str | None = None, negative: Sequence[str] = ()) -> Labels:
    """The outcome in a column of any type. `positive` says which value is the good one where the words do not.

    With `negative` also given, every other value is unknown ("Open", "In progress") and left out of training.
    Raises UnreadableLabels for more than two values, for two that do not say which is which, and for none.
    """
    said = written(column)
    values = said.drop_nulls().unique(maintain_order=True).to_list()
    if not values:
        raise UnreadableLabels(f'The label "{column.name}" is empty in every row.')
    if positive is not None:
        good = _spelled(positive, values, column.name)
        bad = [_spelled(one, values, column.name) for one in negative] or [one for one in values if one != good]
        if not negative and (len(bad) > 1 or _undecided(bad[:1])):
            raise UnreadableLabels(
                f'The label "{column.name}" has {len(values):,} values ({_some(values)}), and only two can be learned. '
                f"Say which count as lost, {_proposal(bad)}; the rest is unknown."
            )
    elif len(values) > 2:
        raise UnreadableLabels(
            f'The label "{column.name}" has {len(values):,} values ({_some(values)}), and only two can be learned. '
            "Choose a column that says won or lost, or name the values: [train] positive and negative in the mapping."
        )
    else:
        good, bad = _sides(values, column.name, gaps=said.null_count() > 0)
    if (good not in negative) and not negative and (open_ones := _undecided(bad)):
        raise UnreadableLabels(
            f'The label "{column.name}" says "{good}" or "{open_ones[0]}", and that is not lost but undecided. '
            "Write the other outcome into the rows that have it; undecided rows are left out of training."
        )
    counted = said.drop_nulls().value_counts(sort=True)
    others = tuple((value, n) for value, n in counted.iter_rows() if value != good and value not in bad)
    y = np.full(len(said), np.nan)
    y[said.is_in([good]).fill_null(False).to_numpy()] = 1
    y[said.is_in(bad).fill_null(False).to_numpy()] = 0
    return Labels(y, good, " or ".join(bad), others)


def _undecided(values: Sequence[str]) -> list[str]:
    """Those that say a deal is under way."""
    return [one for one in values if OPEN.search(one.casefold())]


def _proposal(bad: Sequence[str]) -> str:
    """How to say it, with values that do mean lost; none is proposed where no word says so."""
    lost = [one for one in bad if one.casefold() in NO and not _undecided([one])]
    named = f'--negative "{lost[0]}"' if lost else "--negative with one of them for each"
    return f"{named} (or [train] negative in the mapping)"


def written(column: pl.Series) -> pl.Series:
    """The values as text, trimmed; 1.0 as "1", empty as null."""
    if column.dtype.is_float():
        whole = column.drop_nulls().drop_nans()
        column = column.fill_nan(None)
        if whole.len() and bool((whole == whole.round()).all()):
            column = column.cast(pl.Int64)
    text = column.cast(pl.String).str.strip_chars()
    return text.set(text.is_in(["", "NA", "N/A", "n/a", "nan", "NaN", "null", "NULL", "None"]), None)


def _sides(values: list[str], name: str, gaps: bool) -> tuple[str, list[str]]:
    known = {one: one.casefold() in YES for one in values if one.casefold() in YES | NO}
    goods = [one for one in values if known.get(one)]
    bads = [one for one in values if known.get(one) is False]
    if len(values) == 1:
        if not bads and (gaps or not known):
            raise UnreadableLabels(
                f'The label "{name}" only ever says "{values[0]}" or nothing. Empty means unknown, not lost: '
                "write the other outcome into the rows that have it."
            )
        return (goods[0], []) if goods else ("(none)", bads)
    if len(goods) == 1:
        return goods[0], [one for one in values if one != goods[0]]
    if len(bads) == 1 and not goods:
        return next(one for one in values if one != bads[0]), bads
    raise UnreadableLabels(
        f'The label "{name}" says "{values[0]}" or "{values[1]}", and neither word tells which is the good outcome. '
        f'Name it: --positive "{values[0]}" (or "{values[1]}").'
    )


def _spelled(wanted: str, values: list[str], name: str) -> str:
    for same in (wanted, wanted.strip()):
        if same in values:
            return same
    for one in values:
        if one.casefold() == wanted.strip().casefold():
            return one
    raise UnreadableLabels(f'The label "{name}" never says "{wanted}". It says {_some(values)}.')


def _some(values: list[str]) -> str:
    rest = len(values) - SHOWN
    return ", ".join(f'"{one}"' for one in values[:SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")
