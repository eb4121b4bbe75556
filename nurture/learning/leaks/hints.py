"""What a column's name says about when it is written. It is believed only as far as the data agree."""

import re
from typing import NamedTuple

from nurture.learning.training_data.schema import spoken

HINTED = 0.60  # AUC alone that is enough where the name, too, says "afterwards"


class Hint(NamedTuple):
    """What a column's name says about when it is written."""

    words: re.Pattern[str]
    least: float  # AUC alone from which the column is left out
    why: str
    dominant: bool = False  # and only if it knows about as much as all other columns together


# Names prove nothing: each is believed only as far as the column also tells the outcome.
HINTS = (
    Hint(
        re.compile(
            r"\b(won|lost|loss|closed?|closing|churned|converted|conversion|outcome|signed|invoiced?)\b|"
            r"\b(lead|opportunity|sales|deal) (stage|status)\b|\babschluss|\babgeschlossen|\bgewonnen|\bverloren|"
            r"\bcerrad[oa]\b|\bcierre\b|\bganad[oa]\b|\bperdid[oa]\b|\bînchis|\bcâștigat|\bpierdut|\bclôtur|成交|结单"
        ),
        HINTED,
        "its name speaks of the outcome itself",
    ),
    Hint(
        re.compile(
            r"\belapsed\b|\bstage changes?\b|\bdays (in|to|through|until|identified|validated|qualified|open)\b|"
            r"\btime (to|in) (stage|close|convert)|\bcycle (time|length|days)\b|"
            r"\b(call|talk) duration\b|\bcalls? (length|minutes)\b|\bverstrichen|\bphasenwechsel|\bgesamttage\b|"
            r"\banteil (der )?tage\b|\btage (bis|in|von)\b|\bdías (hasta|en|desde)\b|\bcambios de etapa\b|"
            r"\bzile (până|pana|în)\b|阶段变更|总天数"
        ),
        0.55,
        "it is measured while the deal runs its course",
    ),
    Hint(
        re.compile(
            r"\btags?\b|\bquality\b|\bdisposition\b|\bnotable\b|\bverdict\b|\b(dis)?qualifi(ed|cation)\b|\b(remarks?|notes)\b|"
            r"\b(call|meeting|visit) (result|outcome)\b|\blead (rating|grade)\b|\breject(ed|ion)\b|"
            r"\breason (lost|closed|for)\b|\b(closure|churn) reason\b"
        ),
        HINTED,
        "it is somebody's judgement, written while or after the lead was worked",
    ),
    Hint(
        re.compile(r"\bduration\b|\bdauer\b|\bduraci[oó]n\b|\bdurata\b"),
        0.70,
        "it is known only when the conversation is over",
        dominant=True,
    ),
    Hint(
        re.compile(r"\b(predicted|prediction|propensity|forecast|probability|likelihood)\b"),
        0.80,
        "it is somebody else's forecast",
    ),
    Hint(
        re.compile(
            r"\blast (\w+ )?(activity|modified|updated?|contacted|contact|status|touch|change)\b|\b(modified|updated)\b"
        ),
        0.85,
        "it moves on after the lead was created, perhaps with the outcome",
    ),
)
BEFORE = re.compile(r"\b(prev|previous|prior|past|earlier|former)\b")


def hint_of(name: str) -> Hint | None:
    """The first hint that a column's name gives; None for a plain name, or one that speaks of earlier times."""
    words = spoken(name)
    return None if BEFORE.search(words) else next((hint for hint in HINTS if hint.words.search(words)), None)
