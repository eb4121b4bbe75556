"""The mapping file: which column of somebody's file means what. Written by marketing, in TOML."""

import difflib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from nurture.files.consent_columns import role_of
from nurture.rules.intake.cell_parsers import CellFormat, InvalidCell
from nurture.rules.intake.fields import FIELDS, WITH_TRAITS, Kind
from nurture.rules.intake.file_mapping import LINE, ColumnSource, FileMapping, RowCondition

KNOWN = ("kind", "market", "consent", "reason", "traits", "file", "columns", "constants", "values", "rows", "undecided",
         "not_consent", "recognised_by")  # fmt: skip
IN_FILE = ("header", "encoding", "separator", "decimal", "dates", "time_zone")
SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
DATES = ("", "day-first", "month-first", "unix", "iso")
Toml = str | int | float | bool | datetime | date | time | list["Toml"] | dict[str, "Toml"]
TomlTable = dict[str, Toml]


class MappingError(Exception):
    """The mapping does not fit: says where, what, and what to write instead. Mend the file and import again."""

    def __init__(self, file: str, what: str, mend: str = "") -> None:
        super().__init__(f"{file}: {what}" + (f"\n  {mend}" if mend else ""))
        self.file, self.what, self.mend = file, what, mend


def read(path: Path) -> FileMapping:
    """The mapping in a TOML file, checked as far as one can without the data. Raises MappingError."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise MappingError(
            str(path), "there is no such file", "`nurture import FILE --suggest` writes one to begin with"
        ) from None
    except UnicodeDecodeError as error:
        raise MappingError(str(path), f"is not UTF-8 text (byte {error.start})", "Save it again as UTF-8.") from None
    return parse(text, str(path))


def parse(text: str, file: str = "the mapping") -> FileMapping:
    """The mapping in a TOML text; `file` is how errors call it. Raises MappingError."""
    try:
        table: TomlTable = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(
            file, f"is not TOML: {error}", "Names with spaces and all texts stand in quotation marks."
        ) from None
    mapping = _MappingReader(table, file).mapping()
    _check_values(mapping)
    if mapping.kind == "contacts":
        _check_consent(mapping)
    return _named_accounts(mapping) if mapping.kind == "accounts" else mapping


def check_columns(mapping: FileMapping, header: Sequence[str]) -> None:
    """Raise unless the file has every column the mapping names, saying what is there and what may have been meant."""
    for name, source in mapping.columns.items():
        for column in source.columns:
            if column not in header and not (source.template and column == LINE):
                raise MappingError(
                    mapping.file, f'[columns] {name} = "{column}": the file has no such column', _meant(column, header)
                )
    for column in mapping.traits if mapping.traits != "rest" else ():
        if column not in header:
            raise MappingError(
                mapping.file, f'traits names "{column}": the file has no such column', _meant(column, header)
            )
    for condition in (*mapping.where, *mapping.unless):
        if condition.column not in header:
            raise MappingError(
                mapping.file,
                f'[rows] names "{condition.column}": the file has no such column',
                _meant(condition.column, header),
            )
    if mapping.kind == "contacts":
        _check_undecided(mapping, header)
    missing = [n for n, f in FIELDS[mapping.kind].items() if f.needed and n not in mapping.columns | mapping.constants]
    if missing:
        raise MappingError(
            mapping.file,
            f"[columns] says nothing about {' and '.join(missing)}, which {mapping.kind} need",
            f'Add a line such as {missing[0]} = "…". {_columns_of(header)}',
        )


class _FileTable(NamedTuple):
    """The table [file]: how the file is written."""

    encoding: str | None
    separator: str | None
    cell_format: CellFormat
    header: int | None


class _MappingReader:
    """Reads the tables of one mapping file. Every method raises MappingError with the file's name."""

    def __init__(self, table: TomlTable, file: str) -> None:
        self.table, self.file = table, file
        self._only(table, KNOWN, "")
        self.kind = self._kind()

    def mapping(self) -> FileMapping:
        """The whole mapping, not yet checked for sense."""
        columns = {self._field(name): self._source(name, what) for name, what in self._table("columns").items()}
        constants = {self._field(name): _text(value) for name, value in self._table("constants").items()}
        for name in ("market", "consent", "reason"):
            if name in self.table:
                if name not in FIELDS[self.kind]:
                    raise self._wrong(f"{name} means nothing for {self.kind}", f"Leave the line {name} = … out.")
                constants[name] = _text(self.table[name])
        values = {self._field(name): self._words(name, words) for name, words in self._table("values").items()}
        said = self._file()
        return FileMapping(
            self.kind, columns, constants, values, self._traits(), said.encoding, said.separator, said.cell_format,
            self.file, said.header, self._conditions("where"), self._conditions("unless"), self._list("undecided"),
            self._list("not_consent"),
        )  # fmt: skip

    def _wrong(self, what: str, mend: str) -> MappingError:
        return MappingError(self.file, what, mend)

    def _only(self, table: TomlTable, known: Sequence[str], where: str) -> None:
        for name in table:
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                mend = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(known)}."
                raise self._wrong(f"{where}{name} means nothing here", mend)

    def _kind(self) -> Kind:
        said = self.table.get("kind")
        for kind in FIELDS:
            if said == kind:
                return kind
        raise self._wrong(
            f"kind = {said!r} is none of {', '.join(FIELDS)}" if said else "kind is missing",
            'Begin with a line such as: kind = "contacts"',
        )

    def _table(self, name: str) -> TomlTable:
        found = self.table.get(name, {})
        if not isinstance(found, dict):
            raise self._wrong(f"{name} must be a table", f"Write [{name}] on a line of its own.")
        return found

    def _field(self, name: str) -> str:
        if self.kind == "contacts" and name == "address":  # the table's own word for it
            return "email"
        self._only({name: ""}, tuple(FIELDS[self.kind]), f"{self.kind} have no field ")
        return name

    def _words(self, name: str, words: Toml) -> dict[str, str]:
        if not isinstance(words, dict):
            raise self._wrong(f"values.{name} must be a table", f"Write [values.{name}] on a line of its own.")
        return {word: _text(meaning) for word, meaning in words.items()}

    def _source(self, name: str, what: Toml) -> ColumnSource:
        if isinstance(what, list) and what and (several := _texts(what)):
            return ColumnSource(several)
        if not isinstance(what, str) or not what:
            raise self._wrong(
                f"[columns] {name} = {what!r} is no column",
                f'Write {name} = "Column name", a list of them, or "{{Column}}@shop.example".',
            )
        if holes := re.findall(r"\{([^{}]+)\}", what):
            return ColumnSource(tuple(h.strip() for h in holes), what)
        return ColumnSource((what,))

    def _traits(self) -> tuple[str, ...] | Literal["rest"]:
        traits = self.table.get("traits", "rest" if self.kind in WITH_TRAITS else "none")
        if traits == "rest" and self.kind in WITH_TRAITS:
            return "rest"
        if traits in ("none", False, []):
            return ()
        if self.kind not in WITH_TRAITS:
            raise self._wrong(f"{self.kind} have no traits", "Leave the line traits = … out.")
        if isinstance(traits, list) and (names := _texts(traits)):
            return names
        raise self._wrong(f"traits = {traits!r}", 'Write traits = "rest", traits = "none" or a list of columns.')

    def _file(self) -> _FileTable:
        table = self._table("file")
        self._only(table, IN_FILE, "[file] ")
        said = {name: _text(value) for name, value in table.items()}
        separator = said.get("separator")
        separator = SEPARATORS.get(separator, separator) if separator is not None else None
        if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
            raise self._wrong(f"[file] separator = {separator!r}", 'Write one character such as ";" or "tab".')
        if said.get("decimal", "") not in ("", ".", ","):
            raise self._wrong(f"[file] decimal = {said['decimal']!r}", 'Write "," or ".".')
        dates = said.get("dates", "")
        if dates not in DATES and "%" not in dates:
            raise self._wrong(
                f"[file] dates = {dates!r}",
                'Write "day-first", "month-first", "unix" or a pattern such as "%d %b %Y".',
            )
        form = CellFormat(said.get("decimal", ""), "" if dates == "iso" else dates, self._zone(said))
        return _FileTable(self._encoding(said), separator, form, self._header(table))

    def _header(self, table: TomlTable) -> int | None:
        header = table.get("header")
        if header is None:
            return None
        if not isinstance(header, int) or isinstance(header, bool) or header < 1:
            raise self._wrong(f"[file] header = {header!r}", "Write the number of the line that names the columns.")
        return header

    def _conditions(self, name: str) -> tuple[RowCondition, ...]:
        rows = self._table("rows")
        self._only(rows, ("where", "unless"), "[rows] ")
        table = rows.get(name, {})
        if not isinstance(table, dict):
            raise self._wrong(f"rows.{name} must be a table", f'Write [rows.{name}] and below it "Column" = ["value"].')
        found = []
        for column, values in table.items():
            several = values if isinstance(values, list) else [values]
            found.append(RowCondition(column, frozenset(_text(value).strip().casefold() for value in several)))
        return tuple(found)

    def _list(self, name: str) -> tuple[str, ...]:
        said = self.table.get(name, [])
        if not isinstance(said, list) or len(_texts(said)) != len(said):
            raise self._wrong(f"{name} = {said!r}", f'Write a list of columns: {name} = ["Column"].')
        return _texts(said)

    def _encoding(self, said: dict[str, str]) -> str | None:
        encoding = said.get("encoding")
        try:
            "".encode(encoding or "utf-8")
        except LookupError:
            raise self._wrong(
                f"[file] encoding = {encoding!r} is unknown", 'Write "utf-8", "cp1252" or "utf-16".'
            ) from None
        return encoding

    def _zone(self, said: dict[str, str]) -> str:
        zone = said.get("time_zone", "UTC")
        try:
            return ZoneInfo(zone).key
        except (KeyError, ValueError, OSError):
            raise self._wrong(f"[file] time_zone = {zone!r} is unknown", 'Write it like "Europe/Berlin".') from None


def _text(value: Toml) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _texts(values: list[Toml]) -> tuple[str, ...]:
    """The list, where all of it is text; else nothing."""
    texts = tuple(value for value in values if isinstance(value, str))
    return texts if len(texts) == len(values) else ()


def _named_accounts(mapping: FileMapping) -> FileMapping:
    """An account needs a key and a name; either may stand for the other, and a domain for the key."""
    columns = mapping.columns
    if "key" not in columns:
        for instead in ("domain", "name"):
            if instead in columns:
                return replace(mapping, columns={"key": columns[instead], **columns})
    if "name" not in columns and "key" in columns:
        return replace(mapping, columns={**columns, "name": columns["key"]})
    return mapping


def _check_values(mapping: FileMapping) -> None:
    """Constants and translations must be values that their fields can have."""
    for name, value in mapping.constants.items():
        if isinstance(found := FIELDS[mapping.kind][name].read(value, mapping.cell_format), InvalidCell):
            raise MappingError(mapping.file, f'{name} = "{value}" {found.why}')
    for name, table in mapping.values.items():
        for said, value in table.items():
            if value and isinstance(found := FIELDS[mapping.kind][name].read(value, mapping.cell_format), InvalidCell):
                raise MappingError(mapping.file, f'[values.{name}] "{said}" = "{value}" {found.why}')


def _check_consent(mapping: FileMapping) -> None:
    """A mapping of contacts says whether they may be written to."""
    if "consent" not in mapping.columns and "consent" not in mapping.constants:
        raise MappingError(
            mapping.file,
            "nothing says whether these people may be written to",
            'Name the column (consent = "…" under [columns]) or decide for all of them, above [columns]: '
            'consent = "granted" (they agreed, or you write on legitimate interest) or consent = "unknown" '
            "(imported, never mailed).",
        )


def _check_undecided(mapping: FileMapping, header: Sequence[str]) -> None:
    """A column that might say no is used, or somebody has said that it does not."""
    used = {column for source in mapping.columns.values() for column in source.columns}
    columns = [column for column in mapping.undecided if column in header and column not in used]
    if mapping.constants.get("consent") == "granted":
        columns += [h for h in header if h not in used and h not in mapping.not_consent and role_of(h, ())]
    if columns:
        raise MappingError(
            mapping.file,
            f"{' and '.join(map(repr, dict.fromkeys(columns)))} might say who must not be mailed, "
            "and nothing says what it means",
            f'Under [columns] write consent = "{columns[0]}" (yes: may be mailed) or unsubscribed = "{columns[0]}" '
            f'(yes: never); if it is about something else, above [columns]: not_consent = ["{columns[0]}"].',
        )


def _meant(column: str, header: Sequence[str]) -> str:
    if f"{column} (1)" in header:
        return (
            f'Several columns are called "{column}": write "{column} (1)" for the first, "{column} (2)" for the second.'
        )
    folded = {h.casefold(): h for h in header}
    close = difflib.get_close_matches(column.casefold(), folded, 1, 0.6)
    return (f'Did you mean "{folded[close[0]]}"? ' if close else "") + _columns_of(header)


def _columns_of(header: Sequence[str]) -> str:
    return "The file has: " + ", ".join(f'"{h}"' for h in header[:40]) + (" …" if len(header) > 40 else "")
