"""The parts of a letter (subject, text, html): which files hold them, and what a rendered part consists of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

PartKind = Literal["subject", "text", "html"]


class PartFile(NamedTuple):
    """The file of a letter that holds a part: "body.html", with role and language between stem and suffix."""

    kind: PartKind
    stem: str
    suffix: str

    @property
    def name(self) -> str:
        """The file's plain name, for readers without a variant of their own."""
        return f"{self.stem}.{self.suffix}"


SUBJECT, TEXT, HTML = (
    PartFile("subject", "subject", "txt"),
    PartFile("text", "body", "txt"),
    PartFile("html", "body", "html"),
)
EMAIL_PARTS = (SUBJECT, TEXT, HTML)


@dataclass(frozen=True, slots=True, eq=False)
class PartForm:
    """The words of a part that stay the same, CSS inlined, with a gap between each two of them.

    Compared by identity: two letters with one form differ only in their values.
    """

    words: tuple[str, ...]
    gaps: tuple[int, ...]  # gaps[i] is the number of the value between words[i] and words[i + 1]
    links: tuple[int, ...]  # values that begin a link

    def filled(self, values: Sequence[str]) -> str:
        """The whole text: the words with these values in their gaps."""
        out = [self.words[0]]
        for gap, word in zip(self.gaps, self.words[1:], strict=True):
            out.append(values[gap])
            out.append(word)
        return "".join(out)


@dataclass(frozen=True, slots=True)
class RenderedPart:
    """A part as one reader gets it: the words that stay, and this reader's values. str() puts them together."""

    form: PartForm
    values: tuple[str, ...]

    def __str__(self) -> str:
        return self.form.filled(self.values)

    @property
    def empty(self) -> bool:
        """Nothing would be read: neither words nor values."""
        return not any(self.form.words) and not any(self.values[gap] for gap in self.form.gaps)

    @classmethod
    def of(cls, text: str) -> "RenderedPart":
        """Plain words in a form of their own."""
        return cls(PartForm((text,), (), ()), ())


NO_PART = RenderedPart.of("")  # of a letter whose channel does not need this part
