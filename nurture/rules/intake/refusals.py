"""Who says no in a file: read from every row, also from one that cannot be imported, before anything is imported.

A row that is cut off, has a cell too many or a stray quotation mark has its cells in the wrong places. There a no
counts wherever the column may have moved to: an address suppressed for nothing is better than a letter to somebody who
left.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from models.address import SuppressedBy
from models.contact import Consent
from models.queries.intake_refusals import Refusal
from nurture.rules.intake import addresses, consent_words
from nurture.rules.intake.cell_parsers import CellFormat
from nurture.rules.intake.file_mapping import FileMapping
from nurture.rules.intake.row_parser import SAYS_NO, make_cell

MOST_KNOWN = 10_000
ADDRESS = re.compile(r"[^\s;,|/<>()\[\]\"]+@[^\s;,|/<>()\[\]\"]+")
ACTIVITIES = {  # of people's letters elsewhere: kinds that are a no
    **dict.fromkeys(
        (
            "unsubscribe",
            "unsubscribed",
            "group_unsubscribe",
            "opt_out",
            "optout",
            "email_unsubscribe",
            "list_unsubscribe",
        ),
        SuppressedBy.UNSUBSCRIBE,
    ),
    **dict.fromkeys(
        ("spamreport", "spam_report", "spam", "complaint", "complained", "email_spam_report"), SuppressedBy.COMPLAINT
    ),
    **dict.fromkeys(("bounce", "bounced", "hard_bounce", "email_bounce"), SuppressedBy.BOUNCE),
}
NoReader = Callable[[str], SuppressedBy | None]


class ReadableRow(Protocol):
    """A row of a file, as far as a no can be read from it."""

    @property
    def line(self) -> int:
        """Where it stands."""

    @property
    def cells(self) -> list[str]:
        """What stands in it."""

    @property
    def tolerant(self) -> tuple[str, ...]:
        """Of a broken row: its cells as a forgiving reader sees them."""


class _Column(NamedTuple):
    """A column that may say no."""

    place: int
    read: NoReader
    known: dict[str, SuppressedBy | None]  # what earlier cells said

    def says(self, cell: str) -> SuppressedBy | None:
        if cell not in self.known:
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            self.known[cell] = self.read(cell.strip()) if cell.strip() else None
        return self.known[cell]


class RefusalReader:
    """A mapping applied to one header: made once per file, called once per row."""

    def __init__(self, mapping: FileMapping, header: Sequence[str]) -> None:
        self.width = len(header)
        self.at = {name: i for i, name in enumerate(header)}
        self.columns = [column for name in SAYS_NO for column in self._columns(mapping, name)]
        self.contact = [s for n in ("email", "alias", "contact") if (s := mapping.columns.get(n))]
        self.made = [make_cell(source, self.at) for source in self.contact if source.template]
        self.places = [self.at[c] for s in self.contact if not s.template for c in s.columns if c in self.at]
        self.always: set[SuppressedBy] = set()
        if mapping.kind == "suppressions":  # whoever stands in the list, also in a row that must be left out
            self.always = {SuppressedBy(mapping.constants.get("reason", SuppressedBy.UNSUBSCRIBE))}
        if mapping.kind == "activities" and (source := mapping.columns.get("kind")):
            self.columns = [_Column(self.at[c], _activity, {}) for c in source.columns if c in self.at]

    def _columns(self, mapping: FileMapping, name: str) -> list[_Column]:
        source = mapping.columns.get(name) if mapping.kind == "contacts" else None
        if not source:
            return []
        words = {k.casefold(): v for k, v in mapping.values.get(name, {}).items()}
        return [_Column(self.at[c], _reader(name, words), {}) for c in source.columns if c in self.at]

    @property
    def can_refuse(self) -> bool:
        """Whether any row of the file can say no."""
        return bool(self.columns)

    def refusals(self, rows: Iterable[ReadableRow]) -> Iterator[Refusal]:
        """The refusals of many rows; of a broken one also in its cells as a forgiving reader sees them."""
        width, columns = self.width, self.columns
        for row in rows:
            cells = row.cells
            if len(cells) == width and not row.tolerant:  # nearly all rows, and nearly none of them says no
                for column in columns:
                    cell = cells[column.place]
                    if column.known.get(cell, cell):  # not yet read, or a no
                        yield from self(row.line, cells)
                        break
                continue
            yield from self(row.line, cells)
            if row.tolerant:
                yield from self(row.line, list(row.tolerant))

    def __call__(self, line: int, cells: list[str]) -> list[Refusal]:
        """The refusals of a row, one per readable address and reason."""
        spare = len(cells) - self.width
        if spare > 0 and not any(cells[self.width :]):
            spare = 0
        if spare == 0:
            said = self.always or {why for column in self.columns if (why := column.says(cells[column.place]))}
            if not said:
                return []
            texts = [*(cells[place] for place in self.places), *(make(line, cells) for make in self.made)]
        else:
            said = self.always or {why for column in self.columns for cell in _window(cells, column.place, spare)
                                   if (why := column.says(cell))}  # fmt: skip
            if not said:
                return []
            texts = [cell for place in self.places for cell in _window(cells, place, spare)]
            if not any(map(addresses_in, texts)):
                texts = cells
        found = dict.fromkeys(address for text in texts for address in addresses_in(text))
        return [Refusal(address, why.value) for address in found for why in sorted(said)]


def addresses_in(text: str) -> list[str]:
    """Every (normalised) address in a cell, also where there are several."""
    if "@" not in text and "＠" not in text:
        return []
    if whole := addresses.normalise(text):
        return [whole]
    return [found for part in ADDRESS.findall(text) if (found := addresses.normalise(part.strip("'.:")))]


def _window(cells: Sequence[str], place: int, spare: int) -> Iterable[str]:
    """The cells in which a column may stand when the row has some too many or (negative) too few."""
    return cells[max(place + min(spare, 0), 0) : place + max(spare, 0) + 1]


def _reader(name: str, words: dict[str, str]) -> NoReader:
    """How a column says no. `words`: the mapping's translations, lower case."""
    plain = CellFormat()

    def consent(cell: str) -> SuppressedBy | None:
        why, meant = consent_words.refusal(cell), words.get(cell.casefold())
        if meant is None:
            return why
        means = consent_words.consent(meant, plain)
        if means == Consent.WITHDRAWN:
            return why or SuppressedBy.UNSUBSCRIBE
        return why if means == Consent.UNKNOWN and why != SuppressedBy.UNSUBSCRIBE else None

    def unsubscribed(cell: str) -> SuppressedBy | None:
        meant = words.get(cell.casefold(), cell)
        return SuppressedBy.UNSUBSCRIBE if consent_words.unsubscribed(meant, plain) is True else None

    def marked(cell: str) -> SuppressedBy | None:
        why = SuppressedBy.BOUNCE if name == "bounced" else SuppressedBy.COMPLAINT
        return why if consent_words.marked(words.get(cell.casefold(), cell), plain) else None

    return {"consent": consent, "unsubscribed": unsubscribed}.get(name, marked)


def _activity(cell: str) -> SuppressedBy | None:
    return ACTIVITIES.get(re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_"))
