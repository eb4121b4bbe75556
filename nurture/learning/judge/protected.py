"""Columns that look like age, sex, family, origin or health, and drive a score: laws ask what they are used for."""

import re

from nurture.learning.fit.card import ModelCard
from nurture.learning.training_data.schema import spoken

DRIVES = 0.002  # AUC lost without the column, from which it drives the score
PROTECTED = re.compile(
    r"\b(age|birth\w*|born|sex|gender|marital|married|children|family|pregnan\w*|religio\w*|race|ethnic\w*|nationality|"
    r"disab\w*|health|alter|geburt\w*|geschlecht|anrede|familienstand|kinder|religion|nationalität|edad|nacimiento|sexo|"
    r"género|estado civil|hijos|nacionalidad|vârst[aă]|nașter\w*|stare civilă|copii|naționalitate)\b|"
    r"年龄|性别|婚姻|民族"
)


def protected_columns(card: ModelCard) -> list[str]:
    """A sentence per column that looks protected by its name and drives the score, the weightiest first."""
    return [
        f'"{column}" looks like something people must not be judged by (age, sex, family, origin, health), and the '
        f"score leans on it (AUC {lost:.3f} lost without it). If that is not allowed here: --ignore it."
        for column, lost in card["importance"].items()
        if lost >= DRIVES and PROTECTED.search(spoken(column))
    ]
