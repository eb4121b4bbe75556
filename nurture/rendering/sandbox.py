"""A Jinja that can write letters and nothing else: no calls, no attributes of objects, only short loops."""

import difflib
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NoReturn

from jinja2 import BaseLoader, Environment, TemplateNotFound, TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import do_default, do_first, do_last, do_round, do_title
from jinja2.runtime import Context, LoopContext, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from nurture.rendering import filters
from nurture.rendering.values import Given, Value

OPEN, CLOSE = "\x00", "\x01"  # stand around every value that a template prints: no file and no value may contain them
LONGEST_TEXT = 100_000  # characters that one expression may make
LONGEST_LIST = 1_000  # items that one loop may walk
DEEPEST_LOOP = 2

# Everything a letter needs, and no more: what is not in this list is refused before it is compiled.
ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.If, nodes.For, nodes.Block, nodes.Extends, nodes.Include, nodes.With, nodes.Assign,
    nodes.Filter, nodes.Test, nodes.Keyword, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
    nodes.Not, nodes.Neg, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.List, nodes.Tuple,
)  # fmt: skip
MEND: dict[type[nodes.Node], str] = {
    nodes.Call: "letters call nothing; use a filter or a value",
    nodes.Concat: "write the two side by side, or use +",
    nodes.Macro: 'use {% include "_partials/…" %} with {% with %}',
    nodes.Import: 'use {% include "_partials/…" %} with {% with %}',
    nodes.FromImport: 'use {% include "_partials/…" %} with {% with %}',
}
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
TESTS = ("defined", "undefined", "none", "eq", "ne", "lt", "le", "gt", "ge", "in", "string", "number")
LOOP = frozenset({"index", "index0", "first", "last", "length", "revindex", "previtem", "nextitem"})
NAMES = ("person", "account", "owner", "campaign", "offer", "sender", "company", "unsubscribe_url", "web_url", "today",
         "content", "best", "price", "words", "language", "handoff")  # fmt: skip


class Missing(StrictUndefined):
    """A placeholder that no value belongs to: an error, not a gap in a letter. Says what may have been meant."""

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        if self._undefined_obj is None:
            return f"'{self._undefined_name}' asks something that is empty here (no [offer] in campaign.toml?)"
        known = list(self._undefined_obj) if isinstance(self._undefined_obj, dict) else NAMES
        meant = difflib.get_close_matches(str(self._undefined_name), [str(k) for k in known], n=1)
        return f"'{self._undefined_name}' is not known here" + (f": did you mean '{meant[0]}'?" if meant else "")


def _fail(value: Undefined) -> NoReturn:
    value._fail_with_undefined_error()
    raise AssertionError("unreachable")


def clean(text: str) -> str:
    """Without control characters and without those that turn the direction of writing."""
    return CONTROLS.sub(" ", text) if CONTROLS.search(text) else text


def plain(value: Given) -> str:
    """A value as it is printed. Only plain values are: anything else in a letter is a mistake."""
    if type(value) is str:
        return clean(value)
    kind = type(value)
    if kind is int or kind is float or kind is Decimal:
        return str(value)
    if isinstance(value, Undefined):
        _fail(value)
    if value is None:
        raise SecurityError("an empty value would print as “None”; guard it with {% if … %} or | default('…')")
    if kind is bool or isinstance(value, date):
        raise SecurityError(f"{value} cannot be printed as it is; use a filter, such as | date")
    raise SecurityError(f"a {kind.__name__} cannot be printed, only text, numbers and dates")


class TemplateFiles(BaseLoader):
    """The files of one campaign. Nothing is read from a disk, so there is no path to climb."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        """The file's text; it never changes while it is in use. Raises TemplateNotFound."""
        source = self.files.get(template)
        if source is None:
            raise TemplateNotFound(template)
        if OPEN in source or CLOSE in source:
            raise TemplateSyntaxError(
                "the file contains control characters; save it as plain UTF-8 text", 1, None, template
            )
        return source, template, lambda: True


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment letters are compiled in; `html` says whether what is printed is escaped."""

    intercepted_binops = frozenset({"+", "*", "/", "-"})

    def __init__(self, files: Mapping[str, str], *, html: bool) -> None:
        super().__init__(
            loader=TemplateFiles(files),
            undefined=Missing,  # a misspelt placeholder is an error, not a gap in a letter
            autoescape=html,
            finalize=_mark_html if html else _mark_text,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
            cache_size=-1,
            auto_reload=False,
        )
        self.trees: dict[str, nodes.Template] = {}
        self.globals.clear()
        self.filters = {**FILTERS, **filters.FILTERS}
        self.tests = {name: test for name, test in self.tests.items() if name in TESTS}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _refuse(tree, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "_items", [], [], None, None, lineno=loop.lineno)
        return tree

    def tree(self, name: str) -> nodes.Template:
        """A file as Jinja understands it, parsed once: many letters share a frame. To be read, never changed."""
        found = self.trees.get(name)
        if found is None:
            source = self.loader.get_source(self, name)[0]  # type: ignore[union-attr]
            found = self.trees[name] = self.parse(source, name)
        return found

    def getattr(self, obj: Any, attribute: str) -> Any:
        """What stands after a dot: a key of a dict, or a figure of a loop. No attribute of any object."""
        if type(obj) is dict:  # the usual case first: this runs for every placeholder of every letter
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if isinstance(obj, Undefined):
            _fail(obj)
        if isinstance(obj, LoopContext) and attribute in LOOP:
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """What stands in brackets: an item of a list, or a key of a dict."""
        if type(obj) in (list, tuple) and type(argument) is int:
            return obj[argument] if -len(obj) <= argument < len(obj) else self.undefined(obj=obj, name=str(argument))
        return self.getattr(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """A sum: of two numbers of sensible size, or (with +) of two short texts."""
        for side in (left, right):
            if isinstance(side, Undefined):
                _fail(side)
        if operator == "+" and type(left) is str and type(right) is str and len(left) + len(right) <= LONGEST_TEXT:
            return left + right
        numbers = (int, float, Decimal)
        if type(left) in numbers and type(right) in numbers and abs(left) < 1e15 and abs(right) < 1e15:
            return super().call_binop(context, operator, left, right)
        raise SecurityError(f"{operator} works on two numbers (+ also on two short texts)")


def _refuse(tree: nodes.Template, name: str | None, filename: str | None) -> None:
    def no(node: nodes.Node, what: str) -> NoReturn:
        raise TemplateSyntaxError(what, node.lineno, name, filename)

    def visit(node: nodes.Node, depth: int) -> None:
        if not isinstance(node, ALLOWED):
            mend = next(
                (text for kind, text in MEND.items() if isinstance(node, kind)), "write it with plain placeholders"
            )
            no(node, f"“{type(node).__name__.lower()}” is not for letters: {mend}")
        if isinstance(node, nodes.Extends | nodes.Include) and not isinstance(node.template, nodes.Const):
            no(node, "the name of a frame or partial must be written out")
        name_of = node.attr if isinstance(node, nodes.Getattr) else node.name if isinstance(node, nodes.Name) else ""
        if name_of.startswith("_"):
            no(node, "names that begin with _ are not for letters")
        depth += isinstance(node, nodes.For)
        if depth > DEEPEST_LOOP or (isinstance(node, nodes.For) and node.recursive):
            no(node, "loops within loops within loops are not for letters")
        for child in node.iter_child_nodes():
            visit(child, depth)

    visit(tree, 0)


def _mark_html(value: Given) -> str:
    return Markup(f"{OPEN}{escape(plain(value))}{CLOSE}")  # noqa: S704  escaped in the same breath


def _mark_text(value: Given) -> str:
    return f"{OPEN}{plain(value)}{CLOSE}"


def _items(value: Given) -> list[Value]:
    if isinstance(value, Undefined):
        _fail(value)
    if not isinstance(value, list | tuple | dict) or len(value) > LONGEST_LIST:
        raise SecurityError(f"a loop walks a list of at most {LONGEST_LIST} items")
    return list(value)


def _text(value: Given) -> str:
    text = plain(value)
    if len(text) > LONGEST_TEXT:
        raise SecurityError("the text is too long for a letter")
    return text


def _join(value: Given, between: str = "") -> str:
    return _text(_text(between).join([_text(item) for item in _items(value)]))


def _truncate(value: Given, length: int = 255, end: str = "…") -> str:
    text = _text(value)
    return text if len(text) <= length else text[: max(length - len(end), 0)].rstrip() + end


def _length(value: Given) -> int:
    if isinstance(value, Undefined):
        _fail(value)
    return len(value) if isinstance(value, str | list | tuple | dict) else 0


FILTERS: dict[str, Callable[..., Any]] = {
    "upper": lambda value: _text(value).upper(),
    "lower": lambda value: _text(value).lower(),
    "title": lambda value: do_title(_text(value)),
    "default": do_default,
    "join": _join,
    "length": _length,
    "first": do_first,
    "last": do_last,
    "round": do_round,
    "truncate": _truncate,
    "e": _text,  # html parts are escaped anyway; twice would show “&amp;”
    "_items": _items,
}
