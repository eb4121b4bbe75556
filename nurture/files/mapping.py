"""The mapping file: which column of somebody's file means what. Written by marketing, in TOML."""

import difflib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nurture.rules.intake.cell_parsers import CellFormat, InvalidCell
from nurture.rules.intake.records import FIELDS, LINE, WITH_TRAITS, ColumnSource, FileMapping, Kind

KNOWN = ("kind", "market", "consent", "traits", "file", "columns", "constants", "values")
IN_FILE = ("encoding", "separator", "decimal", "dates", "time_zone")
SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


class MappingError(Exception):
    """The mapping does not fit: says where, what, and what to write instead. Mend the file and import again."""

    def __init__(self, file: str, what: str, mend: str = "") -> None:
        super().__init__(f"{file}: {what}" + (f"\n  {mend}" if mend else ""))
        self.file, self.what, self.mend = file, what, mend


def read(path: Path) -> FileMapping:
    """The mapping in a TOML file, checked as far as one can without the data."""
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
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(
            file, f"is not TOML: {error}", "Names with spaces and all texts stand in quotation marks."
        ) from None
    _only(table, KNOWN, file, "")
    kind = table.get("kind")
    if kind not in FIELDS:
        raise MappingError(
            file,
            f"kind = {kind!r} is none of {', '.join(FIELDS)}" if kind else "kind is missing",
            'Begin with a line such as: kind = "contacts"',
        )
    fields = FIELDS[kind]
    columns = {
        _field(name, kind, file): _source(name, what, file) for name, what in _table(table, "columns", file).items()
    }
    constants = {_field(n, kind, file): _text(v) for n, v in _table(table, "constants", file).items()}
    for name in ("market", "consent"):
        if name in table:
            if name not in fields:
                raise MappingError(file, f"{name} means nothing for {kind}", f"Leave the line {name} = … out.")
            constants[name] = _text(table[name])
    values = {
        _field(n, kind, file): {str(k): _text(v) for k, v in t.items()}
        for n, t in _table(table, "values", file).items()
    }
    sheet = FileMapping(kind, columns, constants, values, _traits(table, kind, file), file=file, **_file(table, file))
    _constants_are_good(sheet)
    if kind == "contacts":
        _consent_is_said(sheet)
    if kind == "accounts" and "key" not in columns:
        for instead in ("domain", "name"):
            if instead in columns:
                return replace(sheet, columns={"key": columns[instead], **columns})
    if kind == "accounts" and "name" not in columns and "key" in columns:
        return replace(sheet, columns={**columns, "name": columns["key"]})
    return sheet


def fit(sheet: FileMapping, header: Sequence[str]) -> None:
    """Raise unless the file has every column the mapping names, saying what is there and what may have been meant."""
    for name, source in sheet.columns.items():
        for column in source.columns:
            if column not in header and not (source.template and column == LINE):
                raise MappingError(
                    sheet.file, f'[columns] {name} = "{column}": the file has no such column', _meant(column, header)
                )
    for column in sheet.traits if sheet.traits != "rest" else ():
        if column not in header:
            raise MappingError(
                sheet.file, f'traits names "{column}": the file has no such column', _meant(column, header)
            )
    missing = [
        n for n, f in FIELDS[sheet.kind].items() if f.needed and n not in sheet.columns and n not in sheet.constants
    ]
    if missing:
        raise MappingError(
            sheet.file,
            f"[columns] says nothing about {' and '.join(missing)}, which {sheet.kind} need",
            f'Add a line such as {missing[0]} = "…". {_there(header)}',
        )


def _meant(column: str, header: Sequence[str]) -> str:
    if f"{column} (1)" in header:
        return (
            f'Several columns are called "{column}": write "{column} (1)" for the first, "{column} (2)" for the second.'
        )
    folded = {h.casefold(): h for h in header}
    close = difflib.get_close_matches(column.casefold(), folded, 1, 0.6)
    return (f'Did you mean "{folded[close[0]]}"? ' if close else "") + _there(header)


def _there(header: Sequence[str]) -> str:
    return "The file has: " + ", ".join(f'"{h}"' for h in header[:40]) + (" …" if len(header) > 40 else "")


def _only(table: dict[str, Any], known: Sequence[str], file: str, where: str) -> None:
    for name in table:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            mend = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(known)}."
            raise MappingError(file, f"{where}{name} means nothing here", mend)


def _table(table: dict[str, Any], name: str, file: str) -> dict[str, Any]:
    found = table.get(name, {})
    if not isinstance(found, dict):
        raise MappingError(file, f"{name} must be a table", f"Write [{name}] on a line of its own.")
    return found


def _field(name: str, kind: Kind, file: str) -> str:
    if kind == "contacts" and name == "address":  # the table's own word for it
        return "email"
    _only({name: ""}, tuple(FIELDS[kind]), file, f"{kind} have no field ")
    return name


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _source(name: str, what: Any, file: str) -> ColumnSource:
    if isinstance(what, list) and what and all(isinstance(c, str) for c in what):
        return ColumnSource(tuple(what))
    if not isinstance(what, str) or not what:
        raise MappingError(
            file,
            f"[columns] {name} = {what!r} is no column",
            f'Write {name} = "Column name", a list of them, or "{{Column}}@shop.example".',
        )
    if holes := re.findall(r"\{([^{}]+)\}", what):
        return ColumnSource(tuple(h.strip() for h in holes), what)
    return ColumnSource((what,))


def _traits(table: dict[str, Any], kind: Kind, file: str) -> Any:
    traits = table.get("traits", "rest" if kind in WITH_TRAITS else "none")
    if traits == "rest" and kind in WITH_TRAITS:
        return "rest"
    if traits in ("none", False, []):
        return ()
    if kind not in WITH_TRAITS:
        raise MappingError(file, f"{kind} have no traits", "Leave the line traits = … out.")
    if isinstance(traits, list) and all(isinstance(t, str) for t in traits):
        return tuple(traits)
    raise MappingError(file, f"traits = {traits!r}", 'Write traits = "rest", traits = "none" or a list of columns.')


def _file(table: dict[str, Any], file: str) -> dict[str, Any]:
    said = _table(table, "file", file)
    _only(said, IN_FILE, file, "[file] ")
    separator = SEPARATORS.get(said.get("separator", ""), said.get("separator"))
    if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
        raise MappingError(file, f"[file] separator = {separator!r}", 'Write one character such as ";" or "tab".')
    if said.get("decimal", "") not in ("", ".", ","):
        raise MappingError(file, f"[file] decimal = {said['decimal']!r}", 'Write "," or ".".')
    dates = said.get("dates", "")
    if dates not in ("", "day-first", "month-first", "unix", "iso") and "%" not in dates:
        raise MappingError(
            file,
            f"[file] dates = {dates!r}",
            'Write "day-first", "month-first", "unix" or a pattern such as "%d %b %Y".',
        )
    if encoding := said.get("encoding"):
        try:
            "".encode(encoding)
        except LookupError:
            raise MappingError(
                file, f"[file] encoding = {encoding!r} is unknown", 'Write "utf-8", "cp1252" or "utf-16".'
            ) from None
    zone = said.get("time_zone", "UTC")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise MappingError(file, f"[file] time_zone = {zone!r} is unknown", 'Write it like "Europe/Berlin".') from None
    form = CellFormat(said.get("decimal", ""), "" if dates == "iso" else dates, zone)
    return {"encoding": encoding, "separator": separator, "form": form}


def _constants_are_good(sheet: FileMapping) -> None:
    for name, value in sheet.constants.items():
        if isinstance(found := FIELDS[sheet.kind][name].read(value, sheet.form), InvalidCell):
            raise MappingError(sheet.file, f'{name} = "{value}" {found.why}')
    for name, table in sheet.values.items():
        for said, value in table.items():
            if value and isinstance(found := FIELDS[sheet.kind][name].read(value, sheet.form), InvalidCell):
                raise MappingError(sheet.file, f'[values.{name}] "{said}" = "{value}" {found.why}')


def _consent_is_said(sheet: FileMapping) -> None:
    if "consent" not in sheet.columns and "consent" not in sheet.constants:
        raise MappingError(
            sheet.file,
            "nothing says whether these people may be written to",
            'Name the column (consent = "…" under [columns]) or decide for all of them, above [columns]: '
            'consent = "granted" (they agreed, or you write on legitimate interest) or consent = "unknown" '
            "(imported, never mailed).",
        )
