"""Where the table stands in a file: titles above its header, notes and totals below it, and what separates cells."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from nurture.files.data_file import FileRow

SEPARATORS = (",", ";", "\t", "|")
TOTAL = re.compile(r"(grand |sub)?totals?\b|summe\b|gesamt\w*|total general|totale\b|suma\b|合计|总计", re.IGNORECASE)
TOTAL_BEGINS = frozenset("GgSsTt合总")  # most rows are told from a total by their first letter


def separator_of(top: Sequence[str]) -> str:
    """The separator that the header has most of, outside quotation marks; where a title stands there, the lines below
    it tell."""
    for line in top:
        counts = _counts(line)
        best, n = counts.most_common(1)[0]
        if n and n >= _usual(top, best) * 0.6:
            return best
    return next((s for line in top for s, n in _counts(line).most_common(1) if n), ",")


def lines_above_header(top: Sequence[str], separator: str) -> int:
    """How many title lines stand above the line that names the columns. It is nearly as wide as the lines below it."""
    usual = _usual(top, separator)
    if usual < 1:
        return 0
    for place, line in enumerate(top):
        filled = sum(bool(cell.strip(' "\r\n')) for cell in line.split(separator))
        if line.count(separator) >= usual * 0.6 and filled >= max(2, usual * 0.5):
            return place
    return 0


def column_titles(cells: Sequence[str]) -> list[str]:
    """The columns' names: none empty, none twice."""
    names = [" ".join(c.split()) or f"column {i}" for i, c in enumerate(cells, 1)]
    twice = {n for n, count in Counter(names).items() if count > 1}
    numbered: Counter[str] = Counter()
    titles = []
    for name in names:
        numbered[name] += 1
        titles.append(f"{name} ({numbered[name]})" if name in twice else name)
    return titles


def without_footer(rows: Iterator[FileRow], width: int, notes: list[int]) -> Iterator[FileRow]:
    """The rows without the notes and totals that a report writes below its table. A line with an address stays.

    `notes` gets the lines that are left out.
    """
    notes.clear()
    if width < 3:
        yield from rows
        return
    held: list[FileRow] = []
    for row in rows:
        cells = row.cells
        if len(cells) < width or cells[0][:1] in TOTAL_BEGINS:
            held.append(row)
            continue
        if held:
            yield from held
            held.clear()
        yield row
    while held and _is_footer(held[-1], width):
        notes.append(held.pop().line)
    yield from held


def _is_footer(row: FileRow, width: int) -> bool:
    cells = row.cells
    if row.broken or any("@" in cell for cell in cells):
        return False
    filled = [cell for cell in cells if cell.strip()]
    first = next(iter(filled), "")
    return (len(filled) <= 1 and len(cells) < width) or bool(cells[0] and TOTAL.match(first.strip()))


def _usual(top: Sequence[str], separator: str) -> int:
    """How many of a separator most lines have, that have any."""
    counts = [n for line in top[:60] if (n := _counts(line)[separator])]
    return Counter(counts).most_common(1)[0][0] if counts else 0


def _counts(line: str) -> Counter[str]:
    outside = "".join(line.split('"')[::2])
    return Counter({s: outside.count(s) for s in SEPARATORS})
