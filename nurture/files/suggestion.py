"""A first mapping for somebody's file, guessed from its columns and cells: a marketer's first minute."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from nurture.files.column_recognition import Recognised, SampleColumn, recognise
from nurture.files.data_file import DataFile
from nurture.files.known_exports import KnownExport, known_export
from nurture.files.reader import open_file
from nurture.files.rejects import without_our_columns
from nurture.rules.intake import consent_words, fields
from nurture.rules.intake.cell_parsers import SLASHED, CellFormat, InvalidCell
from nurture.rules.intake.fields import DATES, FIELDS, WITH_TRAITS
from nurture.rules.intake.row_parser import SAYS_NO

LOOKED_AT = 1_000  # rows
PLAIN = CellFormat()
NO_REVENUE = re.compile(
    r"refund|cancel|void|fail|storn|erstatt|annul|rembours|reembols|anulat|rambursat|rimbors|geannuleerd|terugbetaald|"
    r"devolvid|anulow|zwroc|återbetal|makuler|取消|退款",
    re.IGNORECASE,
)
PARTLY = re.compile(r"partial|teil|partiel|parcial|parzial|gedeeltelijk|部分", re.IGNORECASE)
REASONS = (("complaint", r"spam|complain|abuse"), ("bounce", r"bounce|invalid|block"))


def suggest(path: Path) -> str:
    """The text of a mapping that fits the file as far as its columns and cells tell; the rest is said in comments.

    Raises FileError where the file cannot be read as a table.
    """
    file = without_our_columns(open_file(path))
    columns = _sample(file)
    known = known_export(file.header)
    found = recognise(columns, path.name)
    if known and not (known.kind == "activities" and found.kind == "contacts" and has_consent(found)):
        found = known.complete(found, columns)
    else:
        known = None
    return "\n".join(_Suggestion(path, file, columns, found, known).lines()) + "\n"


def has_consent(found: Recognised) -> bool:
    """Whether a column says yes or no to e-mail."""
    return any(name in found.fields for name in SAYS_NO)


def _sample(file: DataFile) -> list[SampleColumn]:
    rows = [row.cells for row in islice(file.rows(), LOOKED_AT)]
    cells = [[row[i].strip() for row in rows if i < len(row) and row[i].strip()] for i in range(len(file.header))]
    return [SampleColumn(header, tuple(some)) for header, some in zip(file.header, cells, strict=True)]


class _Suggestion:
    """The lines of one suggested mapping."""

    def __init__(
        self, path: Path, file: DataFile, columns: Sequence[SampleColumn], found: Recognised, known: KnownExport | None
    ) -> None:
        self.path, self.file, self.found, self.known = path, file, found, known
        self.cells: Mapping[str, Sequence[str]] = {column.header: column.cells for column in columns}
        self.columns = columns
        self.constants = known.constants if known else {}

    def lines(self) -> Iterator[str]:
        """The whole mapping."""
        by = f"as {self.known.title} exports it" if self.known else "guessed from its columns"
        yield f"# A first mapping for {self.path.name}, {by}. Read it, correct it, then:"
        yield f"#   nurture import {self.path.name} --map THIS_FILE.toml"
        yield f'kind = "{self.found.kind}"'
        if self.found.kind == "contacts":
            yield from self._about_contacts()
        if self.found.kind == "suppressions":
            yield f'reason = "{self._reason()}"      # unsubscribe, complaint, bounce or person: why'
        if self.found.kind in WITH_TRAITS:
            rest = [h for h in self.file.header if not any(h in used for used in self.found.fields.values())]
            more = " …" if len(rest) > 6 else ""
            yield f'traits = "rest"             # {", ".join(rest[:6]) or "nothing is left"}{more}'
        yield from self._about_file()
        yield from ("", "[columns]")
        for name, headers in self.found.fields.items():
            yield f"{name} = {_quoted(headers[0] if len(headers) == 1 else list(headers))}"
        for name, how in FIELDS[self.found.kind].items():
            if how.needed and name not in self.found.fields and name not in {"market", "reason", *self.constants}:
                yield f'# {name} = "…"   needed: which column is it?'
        if self.constants:
            yield from ("", "[constants]", *(f"{name} = {_quoted(value)}" for name, value in self.constants.items()))
        yield from self._rows_left_out()
        yield from self._words()

    def _about_contacts(self) -> Iterator[str]:
        market = "b2b" if {"title", "account"} & self.found.fields.keys() else "b2c"
        market = self.known.market if self.known and self.known.market else market
        yield f'market = "{market}"              # "b2b": people at companies, "b2c": consumers'
        asked = (
            "where the column is empty"
            if "consent" in self.found.fields
            else "may we write to them? granted or unknown"
        )
        if self._says_no():
            asked = "who says no is stopped; the others: unknown is never mailed"
        yield f'consent = "unknown"         # {asked}; "unknown" is never mailed'
        if self.found.undecided:
            yield f"undecided = {_quoted(self.found.undecided)}   # not complete: does one say yes or no to e-mail?"
            yield "#   name it under [columns] as consent (yes = may be mailed) or unsubscribed (yes = never);"
            yield "#   if it is about something else, call this line not_consent"

    def _says_no(self) -> bool:
        return "consent" not in self.found.fields and bool(
            {"unsubscribed", "bounced", "complained"} & self.found.fields.keys()
        )

    def _reason(self) -> str:
        about = f"{self.path.name} {' '.join(self.file.header)}".lower()
        return next((reason for reason, pattern in REASONS if re.search(pattern, about)), "unsubscribe")

    def _about_file(self) -> Iterator[str]:
        file = self.file
        lines = [
            f"# read as {file.encoding}, separated by {file.separator!r}"
            if file.unit == "line"
            else f"# {file.encoding}"
        ]
        if file.header_line > 1:
            lines.append(f"header = {file.header_line}                 # the line that names the columns")
        lines += self._dates()
        money = [
            c for h in self.found.fields.get("amount", ()) for c in self.cells[h] if re.search(r"[.,]\d{1,2}\D*$", c)
        ]
        if money:
            commas = sum("," in c[-4:] for c in money)
            lines.append(f'decimal = "{"," if commas > len(money) / 2 else "."}"')
        if len(lines) > 1:
            yield from ("", "[file]")
        yield from lines

    def _dates(self) -> Iterator[str]:
        """How the file writes days, where that is plain; where it is not, the import asks."""
        cells = [c for name in DATES for h in self.found.fields.get(name, ()) for c in self.cells[h]]
        if cells and all(re.fullmatch(r"\d{10}|\d{13}", c) for c in cells):
            yield 'dates = "unix"              # seconds since 1970'
            return
        slashed = [m for c in cells if (m := SLASHED.fullmatch(c)) and len(m[1]) <= 2]
        if not slashed:
            return
        telling = [m for m in slashed if m[2] != "."]  # dots are day-first everywhere
        day_first = not telling or any(int(m[1]) > 12 for m in telling)
        month_first = any(int(m[3]) > 12 for m in telling)
        if day_first != month_first:
            yield f'dates = "{"month-first" if month_first else "day-first"}"'
        else:
            example = slashed[0][0]
            yield f'# dates = "…"              # needed: is {example} day-first or month-first? The import asks'

    def _rows_left_out(self) -> Iterator[str]:
        """Orders that were cancelled or refunded are no revenue."""
        if self.found.kind != "orders":
            return
        lines = []
        for header, cells in self.cells.items():
            name = header.casefold()
            words = [w for w in dict.fromkeys(cells) if NO_REVENUE.search(w) and not PARTLY.search(w)]
            if words and re.search(r"status|state|statut|estado|stato|stare", name):
                lines.append(f"{_quoted(header)} = {_quoted(words)}")
            elif re.search(r"cancell?ed at|cancell?ation date|storniert am", name):
                lines.append(f'{_quoted(header)} = "*"')
        if lines:
            yield from ("", "[rows.unless]               # these rows are left out: they are no revenue", *lines)

    def _words(self) -> Iterator[str]:
        """The words of a column of consent, and of outcomes, with what they mean."""
        for name in ("consent", "outcome"):
            headers = self.found.fields.get(name, ())
            said = Counter(c for h in headers for c in self.cells[h])
            strange = [w for w, _ in said.most_common(40) if self._meaning(name, w) is None]
            if not said or (name == "outcome" and not strange):
                continue
            yield ""
            if name == "consent":
                yield '[values.consent]            # "granted", "withdrawn" or "unknown"'
            else:
                yield '[values.outcome]            # "open", "won" or "lost"'
            for word, _ in said.most_common(20):
                meant = self._meaning(name, word)
                if name == "consent":
                    yield f'{_quoted(word)} = "{meant or "unknown"}"' + (
                        "" if meant else "   # what does this one mean?"
                    )
                elif isinstance(fields.OUTCOMES(word, PLAIN), InvalidCell):
                    yield f'{_quoted(word)} = "{meant or "open"}"'

    def _meaning(self, name: str, word: str) -> str | None:
        if self.known and (said := self.known.values.get(name, {}).get(word)):
            return said
        read = consent_words.consent if name == "consent" else fields.OUTCOMES
        meant = read(word, PLAIN)
        return None if isinstance(meant, InvalidCell) else str(meant)


def _quoted(text: str | list[str]) -> str:
    return json.dumps(text, ensure_ascii=False)
