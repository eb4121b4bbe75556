"""The batch renderer: Jinja writes a letter once per kind of reader; the others of that kind get their values put in.

Jinja is a function of its values. Some it looks at (comparisons, filters, loops), of some it only asks whether there is
something (`{% if person.title %}`), most it only prints. Readers who agree in the first two get the same words, with
their own printed values in the same places. So a template is run once per kind of reader, with a token wherever a value
is only printed; for the others the values are put there. What cannot be printed that way (a value is missing, or is no
text) is left to Jinja, which does it or says what is wrong.
"""

import re
import secrets
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TypeAlias

from jinja2 import nodes
from markupsafe import escape

from nurture.channels.parts import PartForm, PartKind, RenderedPart
from nurture.rendering import filters
from nurture.rendering.part_template import LONGEST, LONGEST_VALUE, PartTemplate, fitted_value
from nurture.rendering.sandbox import Sandbox, plain
from nurture.rendering.values import Value, Values, dict_in

Path = tuple[str, ...]
REMEMBERED = 256  # kinds of readers per letter
PRINTABLE = (str, int, float, Decimal)
SPECIAL = re.compile("[&<>'\"]")
STEADY = frozenset({"web_url", "today", "language"})  # seldom the reader's own
SHARED = frozenset(
    {"words", "content", "campaign", "offer", "sender", "company"}
)  # one object for thousands of readers


class NoValue:
    """In the place of a value that is not there. False, as an asking template finds it."""

    def __bool__(self) -> bool:
        return False


Found: TypeAlias = "Value | NoValue"  # what stands at a path of a letter's values
MISSING = NoValue()  # what would hold it is there
ABSENT = NoValue()  # not even that: Jinja refuses to look further


class NeedsJinja(Exception):
    """This reader's letter is Jinja's to write."""


@dataclass(frozen=True, slots=True)
class PreparedPart:
    """One part for one kind of reader: what stays, and which printed value goes where."""

    kind: PartKind
    form: PartForm
    values: tuple[str, ...]  # those that are the same for the whole kind; empty where a slot is
    slots: tuple[tuple[int, int], ...]  # place → which of the kind's printed values
    length: int  # of the part without its slots
    same: RenderedPart | None  # the whole part, where it has no slots

    def printed(self, texts: Sequence[str], longest: int) -> RenderedPart:
        """`longest`: of the texts, in characters."""
        if self.same is not None:
            return self.same
        out, kind, links = list(self.values), self.kind, self.form.links
        for place, n in self.slots:
            out[place] = texts[n]
            if kind == "subject" or longest > LONGEST_VALUE[kind] or place in links:
                out[place] = fitted_value(kind, texts[n], place in links)
        most = LONGEST[kind] - self.length
        if longest * len(self.slots) > most and sum(len(texts[n]) for _, n in self.slots) > most:
            raise NeedsJinja
        return RenderedPart(self.form, tuple(out))


@dataclass(frozen=True, slots=True)
class PreparedLetter:
    """The parts of a letter for one kind of reader, and how to find the values they print."""

    parts: tuple[PreparedPart, ...]
    finders: tuple[Callable[[Values], Found], ...]

    def printed(self, context: Values) -> list[RenderedPart]:
        """Each part with this reader's values. Raises NeedsJinja."""
        texts = []
        for find in self.finders:
            value = find(context)
            if type(value) not in PRINTABLE or isinstance(value, NoValue):
                raise NeedsJinja
            texts.append(plain(value))
        escaped = [str(escape(text)) if SPECIAL.search(text) else text for text in texts]
        longest = max(map(len, escaped), default=0)
        return [part.printed(escaped if part.kind == "html" else texts, longest) for part in self.parts]


class BatchRenderer:
    """The three parts of one letter, for readers of every kind."""

    def __init__(self, parts: Sequence[tuple[Sandbox, str, PartTemplate]]) -> None:
        self.templates = [template for _, _, template in parts]
        uses = ValueUses()
        for sandbox, name, _ in parts:
            for tree in family(sandbox, name):
                uses.note(tree)
        shared = {path[0] for path in uses.looked_at | uses.asked | uses.printed} & SHARED
        steady = {path for path in uses.asked | uses.printed if path[0] in uses.local | STEADY}
        looked_at = {path for path in uses.looked_at | steady if path[0] not in SHARED}
        own = {path for path in uses.printed if path[0] not in SHARED and not any(map(path.__eq__, looked_at))}
        bound = {path for path in own if any(_related(path, other) for other in looked_at | uses.asked - {path})}
        self.slots = sorted(own - bound)  # only printed, or asked only whether there is something
        self.asked = sorted(path for path in uses.asked - looked_at if path[0] not in SHARED)
        self.looked_at = sorted(looked_at | bound)
        self.shared = sorted(shared)
        self.prepared: dict[tuple[Hashable, ...], PreparedLetter] = {}
        self._asked = [_finder(path) for path in self.asked]
        self._looked_at = [_finder(path) for path in self.looked_at]
        self.known: list[list[Found]] = []

    def render(self, context: Values) -> list[RenderedPart]:
        """Each part for this reader. Raises NeedsJinja where Jinja has to do it, or to say what is wrong."""
        kind = (
            *[id(context.get(root, ABSENT)) for root in self.shared],
            *[True if (value := find(context)) else _frozen(value) for find in self._asked],
            *[value if type(value := find(context)) is str else _frozen(value) for find in self._looked_at],
        )
        prepared = self.prepared.get(kind)
        if prepared is None:
            if len(self.prepared) >= REMEMBERED:
                self.prepared.clear()
                self.known.clear()
            self.known.append(
                [context.get(root, ABSENT) for root in self.shared]
            )  # alive, so that no other takes their id
            prepared = self.prepared[kind] = self._watched(context)
        return prepared.printed(context)

    def _watched(self, context: Values) -> PreparedLetter:
        """Write the letter once, with tokens where values are only printed. Nobody can know what a token looks like."""
        secret, tokens, marked = secrets.token_hex(8), dict[str, Path](), dict(context)
        for number, path in enumerate(self.slots):
            value = _at(context, path)
            if type(value) not in PRINTABLE:
                raise NeedsJinja
            if path in self.asked and not value:
                continue  # "is there something?" no: this kind of reader has this very nothing
            inner: dict[str, Value] = marked
            for key in path[:-1]:
                below = inner[key] = dict(dict_in(inner, key))
                inner = below
            token = inner[path[-1]] = f"\ue000{secret}{number}\ue001"
            tokens[token] = path
        written = [template.written(marked) for template in self.templates]
        used = [token for token in tokens if any(token in printed for _, printed, _ in written)]
        numbers = {token: n for n, token in enumerate(used)}
        parts = [
            _prepared_part(template.kind, *what, numbers)
            for template, what in zip(self.templates, written, strict=True)
        ]
        return PreparedLetter(tuple(parts), tuple([_finder(tokens[token]) for token in used]))


class ValueUses:
    """What a template does with each value: prints it, asks whether there is something, or looks at it closer."""

    def __init__(self) -> None:
        self.looked_at: set[Path] = {(filters.LOCALE,)}  # filters read it from the context
        self.asked: set[Path] = set()
        self.printed: set[Path] = set()
        self.local: set[str] = {"loop"}

    def note(self, node: nodes.Node, into: set[Path] | None = None) -> None:
        """Walk through a template; `into`: where the names go that stand here. None: they are looked at."""
        if isinstance(node, nodes.Name) and node.ctx != "load":
            self.local.add(node.name)
        elif path := path_of(node):
            (self.looked_at if into is None else into).add(path)
        elif into is self.asked and isinstance(node, nodes.And | nodes.Or | nodes.Not):
            for child in node.iter_child_nodes():
                self.note(child, self.asked)
        else:
            for name, child in _children(node):
                is_test = name == "test" and isinstance(node, nodes.If | nodes.CondExpr)
                self.note(child, self.printed if isinstance(node, nodes.Output) else self.asked if is_test else None)


def _children(node: nodes.Node) -> Iterator[tuple[str, nodes.Node]]:
    for name, value in node.iter_fields():
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, nodes.Node):
                yield name, child


def _related(path: Path, other: Path) -> bool:
    """One is the other, or a part of it."""
    shorter = min(len(path), len(other))
    return path[:shorter] == other[:shorter]


def _prepared_part(
    kind: PartKind, form: PartForm, printed: list[str], length: int, numbers: Mapping[str, int]
) -> PreparedPart:
    slots = tuple((place, numbers[value]) for place, value in enumerate(printed) if value in numbers)
    length -= sum(len(printed[place]) for place, _ in slots)
    links = set(form.links)
    values = ["" if v in numbers else fitted_value(kind, v, n in links) for n, v in enumerate(printed)]
    same = None if slots else RenderedPart(form, tuple(values))
    return PreparedPart(kind, form, tuple(values), slots, length, same)


def _finder(path: Path) -> Callable[[Values], Found]:
    """`_at` for one path: most have two steps, and thousands of readers are asked."""
    if len(path) != 2:
        return partial(_at, path=path)
    root, key = path

    def find(context: Values) -> Found:
        inner = context.get(root, ABSENT)
        return inner.get(key, MISSING) if type(inner) is dict else ABSENT if inner is ABSENT else MISSING

    return find


def _at(context: Values, path: Path) -> Found:
    found: Value | Values = context
    for left, key in zip(range(len(path) - 1, -1, -1), path, strict=True):
        if not isinstance(found, dict):
            return MISSING
        if key not in found:
            return ABSENT if left else MISSING
        found = found[key]
    return found  # type: ignore[return-value]  # no path is empty


def _frozen(value: Found) -> Hashable:
    """Something that can be compared: equal for two values only if no template can tell them apart."""
    if isinstance(value, str | NoValue) or value is None:
        return value
    if isinstance(value, dict):
        return dict, tuple([(key, _frozen(inner)) for key, inner in value.items()])
    if isinstance(value, list | tuple):
        return type(value), tuple([_frozen(inner) for inner in value])
    return type(value), value, str(value)  # 1, 1.0 and True are equal, and print differently; so do 0.0 and -0.0


def family(sandbox: Sandbox, name: str) -> Iterator[nodes.Template]:
    """The template with all it extends and includes."""
    seen, waiting = set[str](), [name]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        tree = sandbox.tree(name)
        yield tree
        named: list[nodes.Extends | nodes.Include] = [*tree.find_all(nodes.Extends), *tree.find_all(nodes.Include)]
        waiting += [other.template.value for other in named if isinstance(other.template, nodes.Const)]


def path_of(node: nodes.Node) -> Path:
    """person.first_name → ("person", "first_name"); () for anything but a name and what is in it."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        inner = path_of(node.node)
        return (*inner, node.attr) if inner else ()
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and type(node.arg.value) is str:
        inner = path_of(node.node)
        return (*inner, node.arg.value) if inner else ()
    return ()
