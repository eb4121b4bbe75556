"""From a row of cells to a typed row of its kind, or to a list of what is wrong with it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from models.contact import Consent
from models.queries.intake_accounts import AccountRow
from models.queries.intake_changes import TraitValues
from models.queries.intake_contacts import ContactRow
from models.queries.intake_history import ActivityRow, OpportunityRow, OrderRow
from models.queries.intake_refusals import SuppressionRow
from nurture.rules.intake import addresses, cell_parsers
from nurture.rules.intake.cell_parsers import CellFormat, CellValue, InvalidCell, shortened
from nurture.rules.intake.fields import FIELDS, TEXT, WITH_TRAITS, CellParser, Kind, email
from nurture.rules.intake.file_mapping import ColumnSource, FileMapping

MOST_KNOWN = 10_000  # different cells of one column that are remembered, so that none is read twice
ImportedRow = AccountRow | ContactRow | ActivityRow | OrderRow | OpportunityRow | SuppressionRow
CellMaker = Callable[[int, list[str]], str]  # line, cells → the cell of a field that is made of several columns
PLAIN_ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+", re.ASCII)
SAYS_NO = ("consent", "unsubscribed", "bounced", "complained")  # fields of a contact that stop an address
WITHOUT = {
    "email": "a contact needs an e-mail address",
    "contact": "whose is it?",
    "account": "which account?",
    "at": "when was it?",
    "amount": "how much was it?",
}


@dataclass(frozen=True, slots=True)
class CellError:
    """One cell that could not be used. `fatal`: the row was not imported; else it was, without this value."""

    line: int
    column: str
    value: str
    why: str
    fatal: bool = True


class _Step(NamedTuple):
    """How one field of a row is filled."""

    slot: int  # of the field among its kind's fields
    place: int  # of the column; -1: the cell is made of several, or of none
    made: CellMaker | None
    read: CellParser
    strict: bool
    needed: bool
    default: str
    name: str
    title: str
    known: dict[str, CellValue | InvalidCell] | None  # what earlier cells said; None where hardly any two are alike


class ParsedContact(NamedTuple):
    """The fields of a contact in the order of FIELDS["contacts"], each cell read."""

    email: str
    key: str | None
    market: str
    account: str | None
    account_name: str | None
    first_name: str | None
    last_name: str | None
    name: str | None
    title: str | None
    phone: str | None
    locale: str | None
    country: str | None
    time_zone: str | None
    consent: str | None
    consent_at: datetime | None
    consent_source: str | None
    unsubscribed: bool | None
    bounced: bool | None
    complained: bool | None
    stage: str | None
    created_at: datetime | None
    alias: str | None


class RowParser:
    """A mapping applied to one header: made once per file, called once per row."""

    def __init__(self, mapping: FileMapping, header: Sequence[str]) -> None:
        self.mapping = mapping
        self.form = mapping.cell_format
        self.header = header
        self.width = len(header)
        at = {name: i for i, name in enumerate(header)}
        fields = FIELDS[mapping.kind]
        self.blank: list[CellValue | None] = [None] * len(fields)  # a row before its cells are read
        self.texts: list[tuple[int, int]] = []  # slot and place of cells that are taken as they are
        self.steps: list[_Step] = []  # the other fields
        for slot, name in enumerate(fields):
            if name in mapping.columns or name in mapping.constants:
                self._add(self._step(slot, name, at))
        used = {c for s in mapping.columns.values() if s.template is None for c in s.columns}
        wanted = [h for h in header if h not in used] if mapping.traits == "rest" else list(mapping.traits)
        self.traits = [(name, at[name]) for name in wanted] if mapping.kind in WITH_TRAITS else []
        self.several_addresses = _share_a_column(mapping, "email", "alias")
        self.finish = FINISH[mapping.kind]
        places = {at[c] for source in mapping.columns.values() for c in source.columns if c in at}
        self.places = sorted(places | {place for _, place in self.traits})

    def _step(self, slot: int, name: str, at: dict[str, int]) -> _Step:
        how = FIELDS[self.mapping.kind][name]
        source = self.mapping.columns.get(name)
        place, made = -1, None
        if source and source.template is None and len(source.columns) == 1:
            place = at[source.columns[0]]
        read = how.read
        if table := self.mapping.values.get(name):
            read = _translated(table, read)
        if source and place < 0:
            several = name in SAYS_NO and source.template is None
            made = _gravest(source, at, read, self.form) if several else make_cell(source, at)
        known: dict[str, CellValue | InvalidCell] | None = None if read in (cell_parsers.text, email) else {}
        default = self.mapping.constants.get(name, "")
        title = source.title if source else f"(constant {name})"
        return _Step(slot, place, made, read, how.strict or how.needed, how.needed, default, name, title, known)

    def _add(self, step: _Step) -> None:
        if step.name not in self.mapping.columns and step.default:
            constant = step.read(step.default, self.form)
            self.blank[step.slot] = None if isinstance(constant, InvalidCell) else constant
        elif step.read is TEXT.read and step.place >= 0 and not step.needed and not step.default:
            self.texts.append((step.slot, step.place))
        else:
            self.steps.append(step)

    def cells_used(self, cells: list[str]) -> tuple[str, ...]:
        """The cells that this mapping reads: two rows that agree in them say the same."""
        return tuple([cells[place] for place in self.places])

    def __call__(self, line: int, cells: list[str]) -> tuple[ImportedRow | None, list[CellError]]:
        """The typed row, and what was wrong with it. None: the row is not imported."""
        if len(cells) != self.width and (wrong := self._wrong_width(line, cells)):
            return None, [wrong]
        values = self.blank.copy()
        errors: list[CellError] = []
        given = ""
        form = self.form
        whole = "".join(cells)
        plain = len(whole) <= cell_parsers.LONGEST and "\0" not in whole  # so is every cell of it, as a text
        for slot, place in self.texts:
            if cell := cells[place].strip():
                if cell[0] == "'":
                    cell = _without_apostrophe(cell)
                values[slot] = cell
                if not plain:
                    values[slot] = self._text(line, place, cell, errors)
        for slot, place, made, read, strict, needed, default, name, title, known in self.steps:
            cell = (cells[place] if place >= 0 else made(line, cells) if made else "").strip() or default
            if not cell:
                if needed:
                    errors.append(CellError(line, title, "", f"is empty; {WITHOUT.get(name, 'this row needs it')}"))
                continue
            if cell[0] == "'":
                cell = _without_apostrophe(cell)
            value: CellValue | InvalidCell | None
            if known is None:
                if read is email and name == "email":
                    given = cell = first_address(cell) if self.several_addresses else cell
                value = cell if plain and read is TEXT.read else read(cell, form)
            elif (value := known.get(cell)) is None:
                value = read(cell, form)
                if len(known) < MOST_KNOWN:
                    known[cell] = value
            if isinstance(value, InvalidCell):
                errors.append(CellError(line, title, shortened(cell), value.why, strict))
            else:
                values[slot] = value
        traits = self._traits(line, cells, plain, errors) if self.traits else {}
        if errors and any(error.fatal for error in errors):
            return None, errors
        return self.finish(values, traits, given), errors

    def _wrong_width(self, line: int, cells: list[str]) -> CellError | None:
        """What is wrong with a row that has not as many cells as the header; surplus empty ones are nothing wrong."""
        has = f"the row has {len(cells)} cells, the header {self.width}"
        if len(cells) < self.width:
            return CellError(line, "", shortened(" ".join(cells)), f"{has}: is it cut off?")
        if any(cells[self.width :]):
            why = f"{has}: quote a cell that has a separator inside"
            return CellError(line, "", shortened(cells[self.width]), why)
        return None

    def _text(self, line: int, place: int, cell: str, errors: list[CellError]) -> str | None:
        """The cell, where a database would take it; else None, and the reason is added to `errors`."""
        read = cell_parsers.text(cell, self.form)
        if isinstance(read, InvalidCell):
            errors.append(CellError(line, self.header[place], shortened(cell), read.why, fatal=False))
            return None
        return read

    def _traits(self, line: int, cells: list[str], plain: bool, errors: list[CellError]) -> TraitValues:
        """The columns that the mapping did not name; cells that no database would take are added to `errors`."""
        traits: TraitValues = {}
        for name, place in self.traits:
            cell = cells[place].strip()
            if not cell:
                continue
            if not plain and isinstance(bad := cell_parsers.text(cell, self.form), InvalidCell):
                errors.append(CellError(line, name, shortened(cell), bad.why, fatal=False))
            else:
                traits[name] = cell_parsers.trait(cell)
        return traits


def _share_a_column(mapping: FileMapping, one: str, other: str) -> bool:
    first, second = mapping.columns.get(one), mapping.columns.get(other)
    return bool(first and second and set(first.columns) & set(second.columns))


def first_address(cell: str) -> str:
    """The first of several addresses in a cell; the cell where there is none."""
    return next((part for part in re.split(r"[;,\s]+", cell) if "@" in part), cell)


def _without_apostrophe(cell: str) -> str:
    """Without the mark by which a spreadsheet keeps digits as a text: '+46 is +46."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in "0123456789+-=@" and not cell.endswith("'") else cell


def make_cell(source: ColumnSource, at: dict[str, int]) -> CellMaker:
    """How the cell of a field is made that comes from several columns or a template. `at`: the columns' places."""
    places = [at[c] for c in source.columns if c in at]
    if source.template is None:
        return lambda line, cells: " ".join(filter(None, (cells[i].strip() for i in places)))
    template = source.template
    wanted = [(c, at.get(c, -1)) for c in source.columns]

    def fill(line: int, cells: list[str]) -> str:
        filled = {c: cells[i].strip() if i >= 0 else str(line) for c, i in wanted}
        return "" if not all(filled.values()) else re.sub(r"\{([^{}]+)\}", lambda m: filled[m[1].strip()], template)

    return fill


def _gravest(source: ColumnSource, at: dict[str, int], read: CellParser, form: CellFormat) -> CellMaker:
    """Of several columns that may say no, the cell that weighs most: a no, then what nobody understands, then a yes."""
    places = [at[c] for c in source.columns if c in at]

    def weight(cell: str) -> int:
        value = read(cell, form)
        if value in (True, Consent.WITHDRAWN):
            return 3
        if isinstance(value, InvalidCell):
            return 2
        return 1 if value == Consent.UNKNOWN else 0

    return lambda line, cells: max(filter(None, (cells[i].strip() for i in places)), key=weight, default="")


def _translated(table: dict[str, str], read: CellParser) -> CellParser:
    words = {k.casefold(): v for k, v in table.items()}
    return lambda cell, form: read(words.get(cell.casefold(), cell), form)


# what a row's values still need, once each cell is read: the values by FIELDS, the traits, the e-mail as it was given


def _account(values: list[CellValue | None], traits: TraitValues, given: str) -> AccountRow:
    return AccountRow._make([*values, traits])


def _contact(values: list[CellValue | None], traits: TraitValues, given: str) -> ContactRow:
    read = ParsedContact._make(values)
    first, last = read.first_name, read.last_name
    if read.name:
        before, after = split_name(read.name)
        first, last = first or before, last or after or None
    said_no = read.unsubscribed or read.complained
    bare = given if PLAIN_ADDRESS.fullmatch(given) else addresses.bare_of(given)
    return ContactRow(
        read.market, read.key, read.email, bare, read.account, read.account_name, first, last, read.title, read.phone,
        read.locale, read.country, read.time_zone, Consent.WITHDRAWN.value if said_no else read.consent,
        read.consent_at, read.consent_source, read.stage, read.created_at, read.alias, traits,
    )  # fmt: skip


def split_name(name: str) -> tuple[str, str]:
    """First and last name of "Zoë O'Brien" or "O'Brien, Zoë"; the last is empty where there is one word only."""
    family, comma, given = name.partition(", ")
    if comma:
        return given, family
    first, _, last = name.partition(" ")
    return first, last


def _activity(values: list[CellValue | None], traits: TraitValues, given: str) -> ActivityRow:
    return ActivityRow._make([*values, _address_in(values[0])])


def _order(values: list[CellValue | None], traits: TraitValues, given: str) -> OrderRow:
    return OrderRow._make([*values, _address_in(values[0])])


def _opportunity(values: list[CellValue | None], traits: TraitValues, given: str) -> OpportunityRow:
    return OpportunityRow._make([*values, traits, _address_in(values[2]), None])


def _address_in(contact: CellValue | None) -> str | None:
    return addresses.normalise(contact) if isinstance(contact, str) and "@" in contact else None


def _suppression(values: list[CellValue | None], traits: TraitValues, given: str) -> SuppressionRow:
    return SuppressionRow._make(values)


Finish = Callable[[list[CellValue | None], TraitValues, str], ImportedRow]
FINISH: dict[Kind, Finish] = {
    "accounts": _account, "contacts": _contact, "activities": _activity, "orders": _order,
    "opportunities": _opportunity, "suppressions": _suppression,
}  # fmt: skip
