"""Five figures of how the code reads, counted from its syntax trees.

    python benchmarks/readability.py [ROOT] [--list NAME] [--under PATH]

* loose: Python files directly in `nurture/`, outside every room.
* untyped: functions whose annotations speak of a row without a type: a dict or mapping to Any, SQLAlchemy's Row or
  RowMapping, a tuple, list or iterable of Any or object, or plain Any or object; aliases included. What belongs
  to a library (`Select[Any]`, `ColumnElement[Any]`, `Callable[..., Any]`) is no row. A function that is typed twice
  wrong counts once.
* long, wide: functions of more than 40 lines, docstring and decorators not counted; of more than 6 parameters, where
  `*args`, `**kwargs` and a parameter called options count like any other and `self` does not.
* twice: names of top-level classes that stand in more than one module.
* undocumented: public functions and methods of public classes without a docstring, properties too. Methods that a
  base class documents (marked @override) and dunder methods are not asked for one.
"""

import argparse
import ast
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("flows", "tasks", "models", "nurture")
ROWS = {"dict", "Dict", "Mapping", "MutableMapping", "Counter", "defaultdict"}
MANY = {"tuple", "list", "set", "Sequence", "Iterable", "Iterator", "Collection", "Generator", "Annotated", "Optional"}
ROW_CLASSES = {"RowMapping", "Row"}
MOST_LINES, MOST_PARAMETERS = 40, 6

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Place(NamedTuple):
    """Where something stands that counts."""

    path: Path
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.name}"


class Figures(NamedTuple):
    """The places behind each figure."""

    loose: list[Place]
    untyped: list[Place]
    long: list[Place]
    wide: list[Place]
    twice: list[Place]
    undocumented: list[Place]


def modules(root: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the product, migrations left out: they are history."""
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            if "migrations" not in file.parts:
                yield file.relative_to(root), ast.parse(file.read_text("utf-8"))


def functions(tree: ast.AST, public: bool = True) -> Iterator[tuple[Function, bool]]:
    """Every function of a module, those inside others too, and whether a stranger may call it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield node, public and not node.name.startswith("_")
            yield from functions(node, public=False)
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, public and not node.name.startswith("_"))
        else:
            yield from functions(node, public)


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_untyped(note: ast.AST | None, aliases: frozenset[str]) -> bool:
    """Does an annotation stand for a row that says nothing of its columns?"""
    if note is None:
        return False
    if isinstance(note, ast.Constant) and isinstance(note.value, str):
        note = ast.parse(note.value, mode="eval").body
    if _name(note) in {"Any", "object"} | ROW_CLASSES | aliases:
        return True
    if isinstance(note, ast.BinOp):
        return is_untyped(note.left, aliases) or is_untyped(note.right, aliases)
    if isinstance(note, ast.Subscript):
        of, inner = _name(note.value), note.slice
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if of in ROW_CLASSES:
            return True
        if of in ROWS:
            return is_untyped(parts[-1], aliases)
        if of in MANY:
            return any(is_untyped(part, aliases) for part in parts)
    return False


def aliases_of(trees: list[tuple[Path, ast.Module]]) -> frozenset[str]:
    """Names that stand for an untyped row: `Row = dict[str, Any]`."""
    found: set[str] = set()
    for _, tree in trees:
        for node in tree.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            value = getattr(node, "value", None)
            if (
                isinstance(target, ast.Name)
                and isinstance(value, ast.Subscript | ast.BinOp)
                and is_untyped(value, frozenset())
            ):
                found.add(target.id)
    return frozenset(found)


def _parameters(node: Function) -> list[ast.arg]:
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    return [one for one in every if one is not None and one.arg not in ("self", "cls")]


def _lines(node: Function) -> int:
    body = node.body
    if ast.get_docstring(node, clean=False) is not None:
        body = body[1:]
    return (body[-1].end_lineno or 0) - (body[0].lineno if body else node.lineno) + 2 if body else 1


def _exempt(node: Function) -> bool:
    marks = {_name(mark) or _name(getattr(mark, "func", mark)) for mark in node.decorator_list}
    return bool(marks & {"override", "overload", "setter"})


def figures(root: Path) -> Figures:
    """Counts a checkout. `root`: its top folder."""
    trees = list(modules(root))
    aliases = aliases_of(trees)
    found = Figures([], [], [], [], [], [])
    classes: dict[str, list[Place]] = defaultdict(list)
    for path, tree in trees:
        if path.parent == Path("nurture"):
            found.loose.append(Place(path, 1, path.name))
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name].append(Place(path, node.lineno, node.name))
        for function, public in functions(tree):
            place = Place(path, function.lineno, function.name)
            notes = [one.annotation for one in _parameters(function)] + [function.returns]
            if any(is_untyped(note, aliases) for note in notes):
                found.untyped.append(place)
            if _lines(function) > MOST_LINES:
                found.long.append(place)
            if len(_parameters(function)) > MOST_PARAMETERS:
                found.wide.append(place)
            if public and not ast.get_docstring(function) and not _exempt(function):
                found.undocumented.append(place)
    for places in classes.values():
        if len(places) > 1:
            found.twice.extend(places)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--list", choices=Figures._fields, help="the places behind one figure")
    parser.add_argument("--under", default="", help="only places below this path")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = figures(asked.root)
    if asked.list:
        for place in getattr(found, asked.list):
            if str(place.path).startswith(asked.under):
                print(place)
        return
    counts = {name: len(places) for name, places in found._asdict().items()}
    counts["twice"] = len({place.name for place in found.twice})
    sys.stdout.write(json.dumps(counts) + "\n" if asked.json else "".join(f"{n:>13}  {k}\n" for k, n in counts.items()))


if __name__ == "__main__":
    main()
