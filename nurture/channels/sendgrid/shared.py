"""One content for many readers: what differs between their letters becomes a substitution, what does not stays text.

Nobody has written down in which order SendGrid replaces tags, or whether it looks again at what it put in. So nothing
may depend on it. A tag is `-nt0001-`: eight characters, of which `nt0001` is the core. Two occurrences of that pattern
can only overlap in a hyphen. So wherever in a half-replaced letter a false tag could appear, its core must be made of
words and values only, next to each other as they are in the finished letter: a finished letter without any
`nt` + four digits cannot have shown one on the way, whatever the order. Letters that have one are never shared.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from json.encoder import encode_basestring_ascii

from nurture.channels.base import OutboundEmail
from nurture.channels.parts import RenderedPart

CORE = re.compile(r"nt[0-9]{4}")
EDGE = 5  # characters of a core that may reach into a neighbour
MOST_BYTES = 9_500  # of one reader's substitutions as escaped JSON, keys included. SendGrid's own limit is 10,000
WIDEST = 12  # bytes of one character as escaped JSON, at most
AROUND = len('"-nt0001-":"",')


class Unfit(ValueError):
    """These letters cannot share a request. `whose` says why, by position."""

    def __init__(self, whose: dict[int, str]) -> None:
        self.whose = whose
        super().__init__(next(iter(whose.values()), "these letters cannot share a request"))


@dataclass(frozen=True, slots=True)
class Shared:
    """What the request says once, and what it says of each reader, in their order."""

    subjects: list[str]
    text: str
    html: str
    substitutions: list[dict[str, str]]


def share(emails: Sequence[OutboundEmail]) -> Shared:
    """Letters of the same forms as one content with substitutions. Raises Unfit."""
    if len({(id(e.text_part.form), id(e.html_part.form)) for e in emails}) != 1:
        raise Unfit(dict.fromkeys(range(len(emails)), "their words differ, not only their values"))
    text = _Part(0, [e.text_part for e in emails])
    html = _Part(len(text.columns), [e.html_part for e in emails])
    if unfit := _unfit(emails, text, html):
        raise Unfit(unfit)
    tags = text.tags + html.tags
    rows = zip(*text.columns, *html.columns, strict=True) if tags else [()] * len(emails)
    substitutions = [dict(zip(tags, row, strict=True)) for row in rows]
    if heavy := _heavy(substitutions):
        raise Unfit(heavy)
    return Shared([e.subject for e in emails], text.template, html.template, substitutions)


class _Part:
    """A text or html part for all readers: its template with tags, and a column of values for each tag."""

    def __init__(self, taken: int, letters: Sequence[RenderedPart]) -> None:
        form = letters[0].form
        self.columns: list[tuple[str, ...]] = []
        self.tags: list[str] = []
        by_column: dict[tuple[str, ...], int] = {}
        holes: dict[int, int | str] = {}  # value number → its column, or the text that is the same for everybody
        for number, column in enumerate(zip(*(letter.values for letter in letters), strict=True)):
            if number not in form.gaps:
                continue
            if column.count(column[0]) == len(column):
                holes[number] = column[0]
            elif column in by_column:
                holes[number] = by_column[column]
            else:
                holes[number] = by_column[column] = len(self.columns)
                self.columns.append(column)
                self.tags.append(f"-nt{taken + len(self.columns):04d}-")
        words, between = [form.words[0]], []  # constants have become words
        for gap, word in zip(form.gaps, form.words[1:], strict=True):
            if isinstance(hole := holes[gap], str):
                words[-1] += hole + word
            else:
                between.append(hole)
                words.append(word)
        self.words, self.between = words, between
        self.template = words[0] + "".join(
            self.tags[hole] + word for hole, word in zip(between, words[1:], strict=True)
        )
        self.squeezed = [word if len(word) <= 2 * EDGE else f"{word[:EDGE]}\n{word[-EDGE:]}" for word in words]

    def around(self) -> Iterator[str]:
        """Each reader's values with as much of the words beside them as a false tag could use."""
        out: list[Iterable[str]] = [repeat(self.squeezed[0])]
        for hole, word in zip(self.between, self.squeezed[1:], strict=True):
            out += (self.columns[hole], repeat(word))
        return map("".join, zip(*out, strict=False))  # without a hole it never ends


def _unfit(emails: Sequence[OutboundEmail], text: _Part, html: _Part) -> dict[int, str]:
    if any(CORE.search(word) for part in (text, html) for word in part.words):
        return dict.fromkeys(range(len(emails)), "the letter itself contains what looks like one of our tags")
    whole = [
        "\n".join((said, shown, email.subject, *email.headers.values()))
        for said, shown, email in zip(text.around(), html.around(), emails, strict=False)
    ]
    if not CORE.search("\n".join(whole)):
        return {}
    return {i: "a value in it looks like one of our tags" for i, said in enumerate(whole) if CORE.search(said)}


def _heavy(substitutions: Sequence[dict[str, str]]) -> dict[int, str]:
    return {
        i: f"what is written for this reader alone exceeds {MOST_BYTES:,} bytes"
        for i, words in enumerate(substitutions)
        if sum(map(len, words.values())) * WIDEST + AROUND * len(words) > MOST_BYTES and _bytes(words) > MOST_BYTES
    }


def _bytes(words: dict[str, str]) -> int:
    return 2 + sum(len(encode_basestring_ascii(value)) + AROUND - 2 for value in words.values())
