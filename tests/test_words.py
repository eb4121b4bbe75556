"""docs/glossary.md is the list of our words: its places exist, every room is on it, retired words stay away."""

import ast
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
CODE = ("flows", "tasks", "models", "nurture", "tests", "benchmarks")
PRODUCT = CODE[:4]
HISTORY = ("models/migrations/versions/",)  # tables made under an old name say so
SPOKEN = (*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md")
PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
KINDS = {"name", "class", "function", "file", "phrase"}
NOT_YET: frozenset[str] = frozenset()  # words whose last places are being renamed


class Retired(NamedTuple):
    """A row of the glossary's second table."""

    word: str
    instead: str
    kinds: tuple[str, ...]
    except_in: tuple[str, ...]


class Use(NamedTuple):
    """A word where it stands."""

    path: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.kind} {self.text.strip()[:60]!r}"


def table(heading: str) -> list[list[str]]:
    """The cells of the rows below a heading of the glossary, without its head."""
    section = GLOSSARY.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|\n ").split("|")] for line in section.splitlines() if line[:1] == "|"
    ]
    return rows[2:]


TERMS = [row for row in table("Terms") if not row[0].startswith("**")]
PLACES = [(row[0], place) for row in TERMS for place in re.findall(r"`([^`]+)`", row[2])]
RETIRED = [
    Retired(row[0], row[1], tuple(row[2].split(", ")), tuple(re.findall(r"`([^`]+)`", row[3] if len(row) > 3 else "")))
    for row in table("Retired words")
]


def sources(folders: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Our Python files with the names they have below the root; this test and history left out."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            name = file.relative_to(ROOT).as_posix()
            if not name.startswith(HISTORY) and file != Path(__file__):
                yield name, file


def names_made(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Every name that a module gives: (line, class, function or variable, name); parameters and attributes too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.lineno, "class", node.name
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, "function", node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, "variable", node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, "variable", node.id if isinstance(node, ast.Name) else node.attr


def words_said(file: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Docstrings, comments, and the help of options and arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if said := ast.get_docstring(node):
                yield getattr(node, "lineno", 1), said
        elif isinstance(node, ast.keyword) and node.arg == "help" and isinstance(node.value, ast.Constant):
            yield node.value.lineno, str(node.value.value)
    with tokenize.open(file) as opened:
        for token in tokenize.generate_tokens(opened.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


@cache
def uses() -> tuple[Use, ...]:
    """Everything that names or says something: files and names of all our code, prose of the product and the guides."""
    found: list[Use] = []
    for name, file in sources(CODE):
        tree = ast.parse(file.read_text("utf-8"))
        found.append(Use(name, 1, "file", file.parent.name if file.stem == "__init__" else file.stem))
        found += [Use(name, line, kind, made) for line, kind, made in names_made(tree)]
        if name.startswith(PRODUCT):
            found += [Use(name, line, "phrase", said) for line, said in words_said(file, tree)]
    for page in (*SPOKEN, *sorted((ROOT / "templates" / "_pages").glob("*.html"))):
        text = page.read_text("utf-8")
        if page == GLOSSARY:
            text = text.split("\n## Retired words\n")[0]
        where = page.relative_to(ROOT).as_posix()
        found += [Use(where, number, "phrase", line) for number, line in enumerate(text.splitlines(), 1)]
    return tuple(found)


def found(word: Retired) -> list[Use]:
    """Where a retired word still is."""
    phrase = re.compile(rf"\b{re.escape(word.word)}\b", re.IGNORECASE)

    def stands_in(use: Use) -> bool:
        """Is this use one of the kinds in which the word is looked for?"""
        if use.kind == "phrase":
            return "phrase" in word.kinds and bool(phrase.search(use.text))
        whole = use.kind in word.kinds and use.text.lower().strip("_") == word.word
        parts = (part.lower() for part in PARTS.findall(use.text))
        return whole or ("name" in word.kinds and use.kind != "file" and word.word in parts)

    return [use for use in uses() if stands_in(use) and not use.path.startswith(word.except_in)]


def test_every_term_has_a_sentence_and_lives_somewhere() -> None:
    assert [term for term, sentence, *_ in TERMS if not sentence.endswith((".", "…"))] == []
    assert [(term, place) for term, place in PLACES if not (ROOT / place).exists()] == []
    assert len({row[0] for row in TERMS}) == len(TERMS)
    assert {row[0] for row in TERMS} == {term for term, _ in PLACES}


def test_every_package_and_every_room_has_a_term() -> None:
    rooms = {
        file.parent.relative_to(ROOT)
        for folder in PRODUCT
        for file in (ROOT / folder).rglob("*.py")
        if len(file.relative_to(ROOT).parts) <= 4 and "migrations" not in file.parts
    }
    named = [Path(place) for _, place in PLACES]
    lacking = [
        room
        for room in sorted(rooms)
        if room != Path("nurture") and not any(place == room or room in place.parents for place in named)
    ]
    assert [
        str(room) for room in lacking if room.parts[:2] not in {("nurture", "learning"), ("nurture", "channels")}
    ] == []


def test_every_noun_of_the_flows_has_a_term() -> None:
    terms = {row[0] for row in TERMS} | {f"{row[0]}s" for row in TERMS}
    assert {file.stem for file in (ROOT / "flows").glob("[a-z]*.py")} <= terms


def test_every_reason_and_every_state_is_explained() -> None:
    from models.delivery_states import State
    from nurture.rules.reasons import Reason

    assert [each for each in Reason if f"`{each}`" not in (ROOT / "docs" / "reasons.md").read_text("utf-8")] == []
    page = (ROOT / "docs" / "delivery-states.md").read_text("utf-8")
    assert [each for each in State if each not in page] == []


def test_a_retired_word_has_a_successor_and_is_no_term() -> None:
    assert [word for word in RETIRED if not word.instead or not set(word.kinds) <= KINDS] == []
    assert {word.word for word in RETIRED}.isdisjoint(row[0] for row in TERMS)
    assert len({word.word for word in RETIRED}) == len(RETIRED)


@pytest.mark.parametrize("word", RETIRED, ids=[word.word for word in RETIRED])
def test_a_retired_word_is_gone(word: Retired) -> None:
    left = found(word)
    if word.word in NOT_YET:
        assert left, f"{word.word} is gone: take it out of NOT_YET"
        return
    assert left == [], f"{word.word} → {word.instead}: " + ", ".join(map(str, left[:20]))


def test_a_word_that_comes_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = (
        Use("tasks/x.py", 1, "function", "brake_of"),
        Use("tasks/x.py", 2, "class", "BrakeOff"),
        Use("tasks/recall.py", 3, "file", "recall"),
        Use("docs/x.md", 4, "phrase", "it was Called back in time"),
        Use("tasks/x.py", 5, "function", "take"),
        Use("tasks/x.py", 6, "variable", "take"),
        Use("tasks/x.py", 7, "variable", "household"),
        Use("tasks/x.py", 8, "function", "intake"),
        Use("tasks/x.py", 9, "phrase", "we take what we are given"),
    )
    monkeypatch.setattr("tests.test_words.uses", lambda: planted)
    lines = {word.word: [use.line for use in found(word)] for word in RETIRED if found(word)}
    assert lines == {"brake": [1, 2], "recall": [3], "called back": [4], "take": [5]}
