"""The library: what content.toml holds as pieces, and what a letter's files ask of it."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlsplit

from jinja2 import nodes

from models.contact import Market
from nurture.rendering.batch_renderer import family, path_of
from nurture.rendering.sandbox import Sandbox
from nurture.rendering.translations import CONTENT_FILE
from nurture.rendering.values import Number, Value, Values, dict_in, text_in
from nurture.rules.planning.content_assets import (
    ANYTHING,
    KINDS,
    STAGES,
    AssetReader,
    ChosenAssets,
    ContentAsset,
    ContentRequest,
    choose,
)
from nurture.rules.planning.prices import Buyer, PriceList, Quote, quote

BEST, CONTENT, PRICE = "best", "content", "price"
PLACEHOLDER: dict[str, Value] = {"title": "…", "url": "https://www.example.com/", "minutes": 1}


def read_pieces(files: Mapping[str, str]) -> tuple[ContentAsset, ...]:
    """The pieces in the order of the file: of two that fit alike the upper one is the better."""
    return tuple(
        ContentAsset(
            slug, asset["kind"], stages_of(asset), tuple(asset.get("roles", ())), tuple(asset.get("personas", ())),
            frozenset(asset["title"]),
        )
        for slug, asset in tomllib.loads(files.get(CONTENT_FILE, "")).items()
    )  # fmt: skip


def stages_of(asset: Mapping[str, str | Sequence[str]]) -> tuple[str, ...]:
    """`stage` is one word, or a list of them."""
    said = asset.get("stage", ())
    return (said,) if isinstance(said, str) else tuple(said)


def known_as(files: Mapping[str, str]) -> dict[str, str]:
    """What activities call a piece → its slug: the slug itself, and the path of every address it has."""
    found: dict[str, str] = {}
    for slug, asset in tomllib.loads(files.get(CONTENT_FILE, "")).items():
        found[slug.lower()] = slug
        for url in (asset["url"], *asset.get("urls", {}).values()):
            if len(path := path_of_url(url)) > 1:
                found.setdefault(path, slug)
    return found


def path_of_url(url: str) -> str:
    """/cases/dairy from https://www.foo.example/cases/dairy?utm_source=x, or from /cases/dairy/."""
    return "/" + urlsplit(url.lower()).path.strip("/")


def asked_of(parts: Iterable[tuple[Sandbox, str]]) -> ContentRequest:
    """What a letter's files ask for, with all they extend and include: best["case study"] is a kind it needs, unless an
    {% if %} asks for it first; content["roi-sheet"] is an asset it names; price is the price list."""
    asked, guarded, named, price = set[str](), set[str](), set[str](), False
    for sandbox, name in parts:
        for tree in family(sandbox, name):
            for path in _paths(tree):
                if path[0] == PRICE:
                    price = True
                elif len(path) > 1 and path[0] in (BEST, CONTENT):
                    (asked if path[0] == BEST else named).add(path[1])
            questions: list[nodes.If | nodes.CondExpr] = [*tree.find_all(nodes.If), *tree.find_all(nodes.CondExpr)]
            for question in questions:
                guarded |= {path[1] for path in _paths(question.test) if path[0] == BEST and len(path) > 1}
    return ContentRequest(tuple(sorted(asked - guarded)), tuple(sorted(asked & guarded)), tuple(sorted(named)), price)


def _paths(node: nodes.Node) -> list[tuple[str, ...]]:
    inner = list(node.find_all((nodes.Name, nodes.Getattr, nodes.Getitem)))
    return [path for one in [node, *inner] if (path := path_of(one))]


def shelf(content: Values, asks: ContentRequest, carried: Values) -> dict[str, Value]:
    """`best` for a letter: each kind asked for with its piece, in the letter's language; empty where there is none."""
    return {kind: dict_in(content, text_in(carried, kind)) for kind in asks.kinds}


class PreviewReader(NamedTuple):
    """For whom a letter is written that nobody planned: a preview, a check."""

    market: str
    language: str
    role: str | None
    persona: str | None


def samples(
    library: Sequence[ContentAsset], content: Values, asks: ContentRequest | None, reader: PreviewReader, default: str
) -> dict[str, Value]:
    """`best` for a letter that nobody planned: what somebody like this would get at first.

    Where there is no piece, any of the kind: whether some reader would find none is told by the coverage. `asks` None:
    every kind there is. `default`: the language of assets that have no title in the reader's.
    """
    wanted = asks or ContentRequest((), (*KINDS, ANYTHING))
    chosen = ChosenAssets()
    for stage in STAGES.get(reader.market, STAGES[Market.B2B]):
        one = choose(library, wanted, AssetReader(stage, reader.language, (reader.role,), reader.persona), (), default)
        chosen = one if len(one.assets) > len(chosen.assets) else chosen
    of_kind = {piece.kind: piece.slug for piece in reversed(library)}
    return {
        kind: content.get(chosen.assets.get(kind) or of_kind.get(kind, ""), {**PLACEHOLDER, "kind": kind})
        for kind in wanted.kinds
    }


def terms(account: Values, prices: PriceList) -> dict[str, Value]:
    """`price` for a letter: the account's quote as plain values. With a rep there is nothing but that."""
    volume, group_volume, growth = (_number(account.get(name)) for name in ("volume", "group_volume", "growth"))
    buyer = Buyer(text_in(account, "channel"), text_in(account, "tier"), int(volume), int(group_volume), float(growth))
    found: Quote = quote(buyer, prices)
    if found.rep:
        return {"rep": True, "currency": prices.currency}
    return {
        "rep": False, "currency": prices.currency, "percent": _plain(found.percent), "by": found.by,
        "rebate": _plain(found.rebate), "next_volume": found.next_volume, "next_percent": _plain(found.next_percent),
        "products": {name: {"list": _plain(p.list), "net": _plain(p.net)} for name, p in found.products.items()},
    }  # fmt: skip


def _number(value: Value) -> Number:
    return value if isinstance(value, int | float | Decimal) else 0


def _plain(number: Decimal) -> int | Decimal:
    return int(number) if number == int(number) else number
