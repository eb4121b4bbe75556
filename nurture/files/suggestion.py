"""A first mapping for somebody's file, guessed from its columns and cells: a marketer's first minute."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from nurture.files.reader import open_file
from nurture.files.rejects import without_our_columns
from nurture.rules.intake import addresses, consent_words
from nurture.rules.intake.cell_parsers import SLASHED, CellFormat, InvalidCell
from nurture.rules.intake.fields import FIELDS, WITH_TRAITS, Kind

LOOKED_AT = 1_000  # rows
CALLED = Path(__file__).with_name("column_names.toml")
TELLING: dict[Kind, tuple[str, ...]] = {  # fields that make a file this kind rather than another
    "contacts": ("email", "first_name", "last_name", "title", "consent"),
    "orders": ("amount", "at", "product", "code"),
    "activities": ("kind", "at", "detail"),
    "opportunities": ("outcome", "opened_at", "closed_at", "amount", "account"),
    "accounts": ("domain", "industry", "employees", "owner_email", "tier"),
}


def suggest(path: Path) -> str:
    """The text of a mapping that fits the file as far as its columns and cells tell; the rest is said in comments."""
    opened = without_our_columns(open_file(path))
    rows = [row.cells for row in islice(opened.rows(), LOOKED_AT) if len(row.cells) == len(opened.header)]
    cells = {h: [r[i].strip() for r in rows if r[i].strip()] for i, h in enumerate(opened.header)}
    kind = max(FIELDS, key=lambda k: _fits(k, _columns(k, opened.header, cells)))
    columns = _columns(kind, opened.header, cells)
    lines = [f"# A first mapping for {path.name}, guessed from its columns. Read it, correct it, then:",
             f"#   nurture import {path.name} --map THIS_FILE.toml", f'kind = "{kind}"']  # fmt: skip
    if kind == "contacts":
        market = "b2b" if {"title", "account"} & columns.keys() else "b2c"
        lines.append(f'market = "{market}"              # "b2b": people at companies, "b2c": consumers')
        asked = "where the column is empty" if "consent" in columns else "may we write to them? granted or unknown"
        lines.append(f'consent = "unknown"         # {asked}; "unknown" is never mailed')
    if kind in WITH_TRAITS:
        rest = [h for h in opened.header if h not in columns.values()]
        lines.append(
            f'traits = "rest"             # {", ".join(rest[:6]) or "nothing is left"}{" …" if len(rest) > 6 else ""}'
        )
    lines += _file(kind, columns, cells, opened.separator, opened.encoding)
    lines += ["", "[columns]"] + [f"{field} = {_quoted(column)}" for field, column in columns.items()]
    missing = [f for f, how in FIELDS[kind].items() if how.needed and f not in columns and f not in ("market",)]
    lines += [f'# {field} = "…"   needed: which column is it?' for field in missing]
    if "consent" in columns:
        lines += _consent(cells[columns["consent"]])
    return "\n".join(lines) + "\n"


def _columns(kind: Kind, header: Sequence[str], cells: dict[str, list[str]]) -> dict[str, str]:
    """Field → column, each column once: by what it is called, and an address by what it looks like."""
    names_of = tomllib.loads(CALLED.read_text("utf-8"))
    called = {h: _bare(h) for h in header}
    found: dict[str, str] = {}
    for field in FIELDS[kind]:
        said = names_of[field][kind] if field == "key" else names_of.get(field, [])
        wanted = [_bare(name) for name in (*said, field)]
        free = [h for h in header if h not in found.values() and called[h] in wanted]
        if free:
            found[field] = min(free, key=lambda h: wanted.index(called[h]))
    if kind == "contacts":
        looks = [h for h in header if h not in found.values() and cells[h] and _share(cells[h]) > 0.8]
        if looks and "email" not in found:
            found["email"] = looks[0]
    if kind == "accounts" and "key" not in found and "name" in found:
        found = {"key": found["name"], **found}
    return {field: found[field] for field in FIELDS[kind] if field in found}


def _fits(kind: Kind, columns: dict[str, str]) -> float:
    missing = sum(how.needed and field not in columns and field != "market" for field, how in FIELDS[kind].items())
    return sum(field in columns for field in TELLING[kind]) - 2 * missing + len(columns) / 100


def _file(kind: Kind, columns: dict[str, str], cells: dict[str, list[str]], separator: str, encoding: str) -> list[str]:
    lines = [f"# read as {encoding}, separated by {separator!r}" if encoding != "parquet" else "# Parquet"]
    dates = [
        c
        for f in ("at", "opened_at", "closed_at", "created_at", "consent_at")
        if f in columns
        for c in cells[columns[f]]
    ]
    slashed = [m for c in dates if (m := SLASHED.fullmatch(c)) and len(m[1]) <= 2]
    if slashed:
        day_first = any(int(m[1]) > 12 or m[2] == "." for m in slashed)
        month_first = any(int(m[3]) > 12 for m in slashed)
        sure = "" if day_first != month_first else "   # please check: is it the day or the month that comes first?"
        lines.append(f'dates = "{"month-first" if month_first and not day_first else "day-first"}"{sure}')
    money = [c for c in cells.get(columns.get("amount", ""), []) if re.search(r"[.,]\d{1,2}\D*$", c)]
    if money:
        commas = sum("," in c[-4:] for c in money)
        lines.append(f'decimal = "{"," if commas > len(money) / 2 else "."}"')
    return ["", "[file]", *lines] if len(lines) > 1 else lines


def _consent(said: Sequence[str]) -> list[str]:
    lines = ["", '[values.consent]            # "granted", "withdrawn" or "unknown"']
    for word, _ in Counter(said).most_common(12):
        meant = consent_words.consent(word, CellFormat())
        lines.append(f'{_quoted(word)} = "{"unknown" if isinstance(meant, InvalidCell) else meant}"'
                     + ("   # what does this one mean?" if isinstance(meant, InvalidCell) else ""))  # fmt: skip
    return lines


def _share(cells: Sequence[str]) -> float:
    return sum(addresses.normalise(c) is not None for c in cells) / len(cells)


def _bare(name: str) -> str:
    return "".join(re.findall(r"\w", name.casefold().replace("_", "")))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
