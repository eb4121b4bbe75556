"""Which placeholders a template names, in every branch: a misspelt one is found although no sample lead reaches it."""

import difflib
from collections.abc import Iterator

from jinja2 import meta, nodes

from nurture.rendering.sandbox import Sandbox
from nurture.rendering.values import Value, Values


def misspelt(sandbox: Sandbox, source: str, path: str, values: Values) -> Iterator[tuple[int, str]]:
    """(line, what is wrong) for each placeholder that `values` does not know.

    A partial is given names by the {% with %} around it: there only what stands after a dot can be judged.
    """
    tree = sandbox.parse(source, path, path)
    given = meta.find_undeclared_variables(tree)  # not those the template sets itself
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name in given - values.keys() and not path.startswith("_partials/"):
            yield name.lineno, _unknown(name.name, values)
    parts: list[nodes.Getattr | nodes.Getitem] = [*tree.find_all(nodes.Getattr), *tree.find_all(nodes.Getitem)]
    for part in parts:
        owner = _value(part.node, given, values)
        key = part.attr if isinstance(part, nodes.Getattr) else _constant(part.arg)
        if isinstance(owner, dict) and owner and key is not None and key not in owner:
            yield part.lineno, _unknown(key, owner)


def _unknown(name: Value, known: Values) -> str:
    meant = difflib.get_close_matches(str(name), [str(key) for key in known], n=1)
    return f"'{name}' is not known here" + (f": did you mean '{meant[0]}'?" if meant else "")


def _constant(node: nodes.Node) -> Value:
    return node.value if isinstance(node, nodes.Const) else None


def _value(node: nodes.Node, given: set[str], values: Values) -> Value:
    """What a chain of names stands for in the sample, or None where that cannot be told from the file alone."""
    if isinstance(node, nodes.Name):
        return values.get(node.name) if node.name in given else None
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        owner = _value(node.node, given, values)
        key = node.attr if isinstance(node, nodes.Getattr) else _constant(node.arg)
        return owner.get(str(key)) if isinstance(owner, dict) else None
    return None
