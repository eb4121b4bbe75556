"""SendGrid replaces our tags with a lead's words, in an order nobody has written down.

So the double replaces them in every order it can think of. One that gives another letter proves
that what a reader gets would be luck, and that is a failure of ours, not of SendGrid.
Substitutions work in subject, text, html and reply-to [documented]; order, overlap and nesting are
undocumented; `custom_args` and `headers` are left alone here, so nobody relies on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

ROUNDS = 10  # a letter that still changes after ten rounds never settles


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One part of one letter that depends on SendGrid's unwritten order."""

    personalization: int
    part: str  # subject, text, html, reply_to
    results: Mapping[str, str]  # by order; for a leftover the key is "unreplaced <tag>"


@lru_cache(maxsize=256)
def orders(tags: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    ascending = sorted(tags)
    return {
        "as given": tags,
        "sorted": tuple(ascending),
        "reversed": tuple(reversed(ascending)),
        "longest first": tuple(sorted(ascending, key=len, reverse=True)),
    }


def replace(text: str, words: Mapping[str, str], order: Iterable[str]) -> str:
    for tag in order:
        text = text.replace(tag, words[tag])
    return text


def replace_until_stable(text: str, words: Mapping[str, str], order: Iterable[str]) -> str:
    order = tuple(order)
    for _ in range(ROUNDS):
        before, text = text, replace(text, words, order)
        if text == before:
            break
    return text


def every_result(text: str, words: Mapping[str, str]) -> dict[str, str]:
    """`{order: text}` for each order; all values are equal for a letter that can be trusted."""
    if not words:
        return {"as given": text}
    named = orders(tuple(words))
    results = {name: replace(text, words, order) for name, order in named.items()}
    results["repeated until stable"] = replace_until_stable(text, words, named["as given"])
    return results


def render(
    index: int, parts: Mapping[str, str], words: Mapping[str, str], tags: frozenset[str]
) -> tuple[dict[str, str], list[Disagreement]]:
    """The letter as its reader sees it, and whatever in it was luck.

    `tags` are the tags of the whole request: one that this recipient lacks would be read as `-nt0007-`.
    """
    final: dict[str, str] = {}
    unsure: list[Disagreement] = []
    missing = tags.difference(words)
    for part, text in parts.items():
        results = every_result(text, words)
        final[part] = results["as given"]
        if len(set(results.values())) > 1:
            unsure.append(Disagreement(index, part, results))
        unsure += [
            Disagreement(index, part, {f"unreplaced {tag}": final[part]})
            for tag in missing
            if tag and tag in final[part]
        ]
    return final, unsure
