"""The options of a training: which columns count as what. From a mapping file's [train] table, or from the caller."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

KEYS = ("ignore", "keep", "time", "group", "positive", "negative", "rules")


@dataclass(frozen=True)
class TrainingOptions:
    """What is said of the columns of a training file; everything may be left out."""

    ignore: tuple[str, ...] = ()  # columns never learned from
    keep: tuple[str, ...] = ()  # columns learned from although they look like leaks
    time: str | None = None  # column that says when the lead was as its row says: then the newest leads judge
    group: str | None = None  # column whose equal values (a person, an account) are never split
    positive: str | None = None  # which value of the label means yes
    negative: tuple[str, ...] = ()  # which mean no; with them, every other value is unknown
    rules: str | None = None  # column with a score the customer already has, to be compared with

    def before(self, other: "TrainingOptions") -> "TrainingOptions":
        """These options, completed by others: lists together, single words only where there is none here."""
        return TrainingOptions(
            (*other.ignore, *self.ignore),
            (*other.keep, *self.keep),
            self.time or other.time,
            self.group or other.group,
            self.positive or other.positive,
            self.negative or other.negative,
            self.rules or other.rules,
        )


NO_OPTIONS = TrainingOptions()


class TrainingOptionsError(ValueError):
    """The mapping's [train] table cannot be followed. The message names the key and what to write instead."""


def read_options(path: Path | None) -> TrainingOptions:
    """The optional [train] table of a mapping file; other tables are for intake. Raises TrainingOptionsError."""
    if path is None:
        return TrainingOptions()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("train", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingOptionsError(f"{path.name} cannot be read as TOML: {error}") from None
    if not isinstance(table, dict):
        raise TrainingOptionsError(f"{path.name}: train is a table: write [train] on a line of its own.")
    if strange := sorted(set(table) - set(KEYS)):
        raise TrainingOptionsError(f'{path.name}: [train] does not know "{strange[0]}". It knows {", ".join(KEYS)}.')
    ignore, keep, negative = (_names(path, key, table.get(key, [])) for key in ("ignore", "keep", "negative"))
    time, group, positive, rules = (
        _word(path, key, table[key]) if key in table else None for key in ("time", "group", "positive", "rules")
    )
    return TrainingOptions(ignore, keep, time, group, positive, negative, rules)


def _names(path: Path, key: str, value: object) -> tuple[str, ...]:
    """A list of names out of TOML."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TrainingOptionsError(f'{path.name}: [train] {key} is a list of names: {key} = ["Tags", "Lead Quality"]')
    return tuple(value)


def _word(path: Path, key: str, value: object) -> str:
    """One name out of TOML; numbers and true as text."""
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else f"{value:g}"
    if not isinstance(value, str):
        raise TrainingOptionsError(f'{path.name}: [train] {key} is one name: {key} = "…"')
    return value
