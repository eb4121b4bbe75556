"""Exports of well-known tools, recognised by their set of columns. Each has a mapping file in examples/mappings/."""

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from nurture.files.column_recognition import Recognised, SampleColumn
from nurture.files.column_words import plain_name
from nurture.rules.intake.fields import FIELDS, Kind

INSTALLED = Path(__file__).with_name("exports")  # where the wheel has examples/mappings
HERE = INSTALLED if INSTALLED.is_dir() else Path(__file__).parents[2] / "examples" / "mappings"


class KnownExport(NamedTuple):
    """One tool's export: the columns that give it away, and what its columns are."""

    title: str
    kind: Kind
    signature: frozenset[str]  # plain names; all of them are there
    fields: dict[str, tuple[str, ...]]  # field → columns, plain names
    not_consent: frozenset[str]
    market: str
    constants: dict[str, str]
    values: dict[str, dict[str, str]]

    @property
    def columns(self) -> frozenset[str]:
        """Every column that the export's mapping knows, by its plain name."""
        return self.signature | self.not_consent | {column for said in self.fields.values() for column in said}

    def complete(self, guessed: Recognised, columns: Sequence[SampleColumn]) -> Recognised:
        """What the export's columns are, as far as this file has them; for the others what was guessed."""
        headers = {plain_name(column.header): column.header for column in columns}
        found = Recognised(self.kind)
        known = {name: tuple(headers[c] for c in said if c in headers) for name, said in self.fields.items()}
        taken = {header for said in known.values() for header in said}
        for name in FIELDS[self.kind]:
            if name in self.constants:
                continue
            said = known.get(name, ())
            if not said and self.kind == guessed.kind and (name, self.market) != ("account", "b2c"):
                said = tuple(h for h in guessed.fields.get(name, ()) if h not in taken)
            if name in ("consent", "unsubscribed", "bounced", "complained") and self.kind == guessed.kind:
                more = [h for h in guessed.fields.get(name, ()) if h not in taken]
                said += tuple(h for h in more if h not in said and plain_name(h) not in self.not_consent)
            if said:
                found.fields[name] = said
        found.undecided = [h for h in guessed.undecided if h not in taken and plain_name(h) not in self.not_consent]
        return found


def known_export(header: Sequence[str]) -> KnownExport | None:
    """The export with these columns; the one that knows most of the file's columns, if there are several."""
    there = {plain_name(name) for name in header}
    fitting = [export for export in known_exports() if export.signature <= there
               and (export.kind != "suppressions" or export.signature == there)]  # fmt: skip
    return max(fitting, key=lambda export: len(there & export.columns), default=None)


@lru_cache(1)
def known_exports() -> tuple[KnownExport, ...]:
    """All exports we know."""
    found = []
    for path in sorted(HERE.glob("*.toml")):
        text = path.read_text("utf-8")
        table = tomllib.loads(text)
        if "recognised_by" not in table:
            continue
        columns = {n: (c,) if isinstance(c, str) else tuple(c) for n, c in table["columns"].items()}
        found.append(
            KnownExport(
                text.partition("\n")[0].lstrip("# ").partition(":")[0],
                table["kind"],
                frozenset(map(plain_name, table["recognised_by"])),
                {name: tuple(map(plain_name, said)) for name, said in columns.items() if "{" not in said[0]},
                frozenset(map(plain_name, table.get("not_consent", ()))),
                table.get("market", ""),
                table.get("constants", {}),
                table.get("values", {}),
            )
        )
    return tuple(found)
