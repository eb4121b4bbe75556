"""What a file may tell us: the fields of each kind, and from a row of cells to values or to complaints about them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from models.contact import Consent, Market, Stage
from models.opportunity import OpportunityOutcome, OpportunityStage
from nurture.rules.intake import addresses, cell_parsers, names
from nurture.rules.intake.cell_parsers import CellFormat, InvalidCell, shortened

PLAIN = CellFormat()
MOST_KNOWN = 10_000  # different cells of one column that are remembered, so that none is read twice
Kind = Literal["accounts", "contacts", "activities", "orders", "opportunities"]
CellParser = Callable[[str, CellFormat], Any]
LINE = "line"  # {line} in a template: the row's line in the file


class FieldSpec(NamedTuple):
    read: CellParser
    needed: bool = False  # a row without it is not imported
    strict: bool = False  # a bad cell stops the row; otherwise the row is imported without this value


def _one_of(words: Sequence[str], also: Mapping[str, str] | None = None) -> CellParser:
    table = {word: word for word in words} | dict(also or {})
    known = ", ".join(words)

    def read(cell: str, form: CellFormat) -> Any:
        return table.get(cell.casefold()) or InvalidCell(
            f"is none of {known}; translate it under [values.…] in the mapping"
        )

    return read


def email(cell: str, form: CellFormat) -> Any:
    found = addresses.normalise(cell)
    if found is None:
        return InvalidCell(addresses.why_not(cell))
    if addresses.nobody_reads(found):
        return InvalidCell("is an address nobody reads")
    return found


def domain(cell: str, form: CellFormat) -> Any:
    """foo.example from foo.example, www.foo.example, https://foo.example/about or someone@foo.example."""
    host = re.sub(r"^[a-z]+://", "", cell.lower()).rpartition("@")[2]
    host = re.split(r"[/?#:]", host)[0].removeprefix("www.").strip(".")
    found = addresses.normalise(f"x@{host}")
    return found.partition("@")[2] if found else InvalidCell("is not a domain; write it as foo.example")


def kind_of_activity(cell: str, form: CellFormat) -> Any:
    word = re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_")
    return (
        word
        if 0 < len(word) <= 40
        else InvalidCell("is not a kind of activity; write it as page_view, download, webinar …")
    )


def percent(cell: str, form: CellFormat) -> Any:
    """12.5 from "12.5", "12,5 %" or "+12.5%"; "-3" is a decline."""
    found = cell_parsers.number(cell.strip().rstrip("%").lstrip("+").strip(), form)
    return found if isinstance(found, InvalidCell) else float(found)


TEXT = FieldSpec(cell_parsers.text)
MARKETS = _one_of([m.value for m in Market], {"business": "b2b", "consumer": "b2c", "private": "b2c"})
OUTCOMES = _one_of(
    [o.value for o in OpportunityOutcome],
    {"closed won": "won", "closedwon": "won", "gewonnen": "won", "ganada": "won", "1": "won", "true": "won",
     "closed lost": "lost", "closedlost": "lost", "loss": "lost", "verloren": "lost", "perdida": "lost", "0": "lost",
     "false": "lost", "offen": "open", "abierta": "open"},
)  # fmt: skip

PHASES = _one_of(
    [p.value for p in OpportunityStage],
    dict.fromkeys(("rfp", "rfq", "ausschreibung", "licitación", "concurso", "licitație", "招标"), "tender")
    | dict.fromkeys(("review", "shortlist", "bewertung", "evaluación", "evaluare", "评估", "评审"), "evaluation")
    | dict.fromkeys(("quotation", "proposal", "offer", "angebot", "oferta", "cotización", "ofertă", "报价"), "quote")
    | dict.fromkeys(("negotiation", "verhandlung", "vertrag", "contrato", "negociación", "合同", "谈判"), "contract"),
)

FIELDS: dict[Kind, dict[str, FieldSpec]] = {
    "accounts": {
        "key": FieldSpec(cell_parsers.text, needed=True), "name": FieldSpec(cell_parsers.text, needed=True),
        "domain": FieldSpec(domain),
        "industry": TEXT, "country": FieldSpec(names.country), "employees": FieldSpec(cell_parsers.whole), "tier": TEXT,
        "channel": TEXT, "volume": FieldSpec(cell_parsers.whole), "group_volume": FieldSpec(cell_parsers.whole),
        "growth": FieldSpec(percent),
        "owner_email": FieldSpec(email), "owner_name": TEXT,
    },
    "contacts": {
        "email": FieldSpec(email, needed=True), "key": TEXT, "market": FieldSpec(MARKETS, needed=True),
        "account": TEXT, "account_name": TEXT, "first_name": TEXT, "last_name": TEXT, "name": TEXT, "title": TEXT,
        "phone": TEXT, "locale": FieldSpec(names.locale), "country": FieldSpec(names.country),
        "time_zone": FieldSpec(cell_parsers.time_zone), "consent": FieldSpec(names.consent, strict=True),
        "consent_at": FieldSpec(cell_parsers.moment), "consent_source": TEXT,
        "unsubscribed": FieldSpec(names.flag, strict=True),
        "stage": FieldSpec(_one_of([s.value for s in Stage])), "created_at": FieldSpec(cell_parsers.moment),
        "alias": FieldSpec(email),
    },
    "activities": {
        "contact": FieldSpec(cell_parsers.text, needed=True), "market": FieldSpec(MARKETS, strict=True),
        "kind": FieldSpec(kind_of_activity, needed=True), "at": FieldSpec(cell_parsers.moment, needed=True),
        "detail": TEXT, "campaign": TEXT, "key": TEXT,
    },
    "orders": {
        "contact": FieldSpec(cell_parsers.text, needed=True), "market": FieldSpec(MARKETS, strict=True), "key": TEXT,
        "at": FieldSpec(cell_parsers.moment, needed=True), "amount": FieldSpec(cell_parsers.cents, needed=True),
        "currency": FieldSpec(names.currency, strict=True), "product": TEXT, "code": TEXT,
    },
    "opportunities": {
        "key": FieldSpec(cell_parsers.text, needed=True), "account": FieldSpec(cell_parsers.text, needed=True),
        "contact": TEXT, "name": TEXT, "outcome": FieldSpec(OUTCOMES, strict=True),
        "amount": FieldSpec(cell_parsers.cents),
        "currency": FieldSpec(names.currency, strict=True), "opened_at": FieldSpec(cell_parsers.moment, needed=True),
        "closed_at": FieldSpec(cell_parsers.moment), "stage": FieldSpec(PHASES), "solution": TEXT,
        "tender_due_at": FieldSpec(cell_parsers.moment), "decision_at": FieldSpec(cell_parsers.moment),
        "criteria": TEXT,
    },
}  # fmt: skip
WITH_TRAITS = ("accounts", "contacts", "opportunities")
DATES = frozenset(f for fields in FIELDS.values() for f, how in fields.items() if how.read is cell_parsers.moment)


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """Where a cell comes from: one column, several joined by a space, or a template like "{id}@shop.example"."""

    columns: tuple[str, ...]
    template: str | None = None

    @property
    def title(self) -> str:
        return self.template or " + ".join(self.columns)


@dataclass(frozen=True)
class FileMapping:
    """A mapping as a value: what each column of a file means. Read from TOML by nurture.mapping."""

    kind: Kind
    columns: dict[str, ColumnSource]
    constants: dict[str, str] = field(default_factory=dict)  # for a field without a column, or with an empty cell
    values: dict[str, dict[str, str]] = field(default_factory=dict)  # field → {what the file says: what we say}
    traits: tuple[str, ...] | Literal["rest"] = "rest"
    encoding: str | None = None
    separator: str | None = None
    form: CellFormat = PLAIN
    file: str = "the mapping"  # where it stands, for error messages


@dataclass(frozen=True, slots=True)
class CellError:
    """One cell that could not be used. `fatal`: the row was not imported; else it was, without this value."""

    line: int
    column: str
    value: str
    why: str
    fatal: bool = True


class _Step(NamedTuple):
    name: str
    place: int  # of the column; -1: it is made of several, or of none
    made: Callable[[int, list[str]], str] | None
    read: CellParser
    strict: bool
    needed: bool
    default: str
    title: str
    known: dict[str, Any] | None  # what earlier cells said; None where hardly any two are alike


class RowParser:
    """A mapping applied to one header: made once per file, called once per row."""

    def __init__(self, sheet: FileMapping, header: Sequence[str]) -> None:
        self.sheet = sheet
        self.form = sheet.form
        self.width = len(header)
        at = {name: i for i, name in enumerate(header)}
        self.steps = [
            self._step(name, at) for name in FIELDS[sheet.kind] if name in sheet.columns or name in sheet.constants
        ]
        self.missing = [
            n for n, f in FIELDS[sheet.kind].items() if f.needed and n not in sheet.columns and n not in sheet.constants
        ]
        used = {c for s in sheet.columns.values() if s.template is None for c in s.columns}
        wanted = [h for h in header if h not in used] if sheet.traits == "rest" else list(sheet.traits)
        self.traits = [(name, at[name]) for name in wanted] if sheet.kind in WITH_TRAITS else []
        self.finish = FINISH[sheet.kind]
        places = {at[c] for source in sheet.columns.values() for c in source.columns if c in at}
        self.places = sorted(places | {place for _, place in self.traits})

    def _step(self, name: str, at: dict[str, int]) -> _Step:
        how = FIELDS[self.sheet.kind][name]
        source = self.sheet.columns.get(name)
        index, cell, title = -1, None, f"(constant {name})"
        if source:
            title = source.title
            if source.template is None and len(source.columns) == 1:
                index = at[source.columns[0]]
            else:
                cell = _joined(source, at)
        read = how.read
        if table := self.sheet.values.get(name):
            read = _translated(table, read)
        strict, default = how.strict or how.needed, self.sheet.constants.get(name, "")
        known: dict[str, Any] | None = None if read in (cell_parsers.text, email) else {}
        return _Step(name, index, cell, read, strict, how.needed, default, title, known)

    def said(self, row: list[str]) -> tuple[str, ...]:
        """The cells that this mapping reads: two rows that agree in them say the same."""
        return tuple([row[place] for place in self.places])

    def __call__(self, line: int, row: list[str]) -> tuple[dict[str, Any] | None, list[CellError]]:
        """The row's values, and what was wrong with it. No values: the row is not imported."""
        if len(row) != self.width:
            if len(row) < self.width:
                return None, [
                    CellError(
                        line,
                        "",
                        shortened(" ".join(row)),
                        f"the row has {len(row)} cells, the header {self.width}: is it cut off?",
                    )
                ]
            if any(row[self.width :]):
                why = f"the row has {len(row)} cells, the header {self.width}: quote a cell that has a separator inside"
                return None, [CellError(line, "", shortened(row[self.width]), why)]
        values: dict[str, Any] = {}
        faults: list[CellError] = []
        fatal = False
        form = self.form
        whole = "".join(row)
        plain = len(whole) <= cell_parsers.LONGEST and "\0" not in whole  # so is every cell of it, as a text
        for name, place, made, read, strict, needed, default, title, known in self.steps:
            cell = (row[place] if place >= 0 else made(line, row) if made else "").strip() or default
            if not cell:
                if needed:
                    fatal = True
                    faults.append(CellError(line, title, "", f"is empty; {WITHOUT.get(name, 'this row needs it')}"))
                continue
            if known is None:
                value = cell if plain and read is TEXT.read else read(cell, form)
            elif (value := known.get(cell)) is None:
                value = read(cell, form)
                if len(known) < MOST_KNOWN:
                    known[cell] = value
            if value.__class__ is InvalidCell:
                fatal = fatal or strict
                faults.append(CellError(line, title, shortened(cell), value.why, strict))
            else:
                values[name] = value
                if name == "email":
                    values["given"] = cell
        if self.traits:
            values["traits"] = traits = {}
            for name, index in self.traits:
                if cell := row[index].strip():
                    if not plain and (len(cell) > cell_parsers.LONGEST or "\0" in cell):
                        faults.append(
                            CellError(line, name, shortened(cell), cell_parsers.text(cell, form).why, fatal=False)
                        )
                    else:
                        traits[name] = cell_parsers.trait(cell)
        if fatal:
            return None, faults
        self.finish(values)
        return values, faults


WITHOUT = {
    "email": "a contact needs an e-mail address",
    "contact": "whose is it?",
    "account": "which account?",
    "at": "when was it?",
    "amount": "how much was it?",
}


def _joined(source: ColumnSource, at: dict[str, int]) -> Callable[[int, list[str]], str]:
    indexes = [at[c] for c in source.columns if c in at]
    if source.template is None:
        return lambda line, row: " ".join(filter(None, (row[i].strip() for i in indexes)))
    template = source.template
    wanted = [(c, at.get(c, -1)) for c in source.columns]

    def fill(line: int, row: list[str]) -> str:
        filled = {c: row[i].strip() if i >= 0 else str(line) for c, i in wanted}
        return "" if not all(filled.values()) else re.sub(r"\{([^{}]+)\}", lambda m: filled[m[1].strip()], template)

    return fill


def _translated(table: dict[str, str], read: CellParser) -> CellParser:
    words = {k.casefold(): v for k, v in table.items()}
    return lambda cell, form: read(words.get(cell.casefold(), cell), form)


# what a row's values still need, once each cell is read


def _account(values: dict[str, Any]) -> None:
    pass


def _contact(values: dict[str, Any]) -> None:
    values["address"] = values.pop("email")
    given = values.pop("given")
    values["email"] = given if given.isascii() and " " not in given and "<" not in given else addresses.bare_of(given)
    if name := values.pop("name", None):
        first, _, last = (
            name.rpartition(", ")[2].partition(" ")
            if ", " not in name
            else (name.partition(", ")[2], "", name.partition(", ")[0])
        )
        values.setdefault("first_name", first)
        if last:
            values.setdefault("last_name", last)
    if values.pop("unsubscribed", False):
        values["consent"] = Consent.WITHDRAWN.value


def _referring(values: dict[str, Any]) -> None:
    if "@" in values.get("contact", ""):
        values["contact_address"] = addresses.normalise(values["contact"])


FINISH: dict[Kind, Callable[[dict[str, Any]], None]] = {
    "accounts": _account, "contacts": _contact, "activities": _referring, "orders": _referring,
    "opportunities": _referring,
}  # fmt: skip
