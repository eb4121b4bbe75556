"""prices.toml read and checked: list prices, discounts by channel, tier and volume, and where a person talks."""

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from babel.numbers import list_currencies

from nurture.config.toml_file import REQUIRED, Problem, Reader, lines
from nurture.config.toml_file import Path as Keys
from nurture.rules.planning.prices import Discount, PriceList, Rep

FILE = "prices.toml"
TABLES = ("instant", "group", "rebate")


class PricesError(Exception):
    """The file cannot be used. Its text names each line and the mend."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def check(texts: Mapping[str, str]) -> list[Problem]:
    """Everything that is wrong with the price list among a campaign's files."""
    try:
        read(texts)
    except PricesError as error:
        return error.problems
    return []


def read(texts: Mapping[str, str]) -> PriceList | None:
    """The price list among a campaign's files; None where there is none."""
    return read_text(texts[FILE]) if FILE in texts else None


def read_text(text: str, name: str = FILE) -> PriceList:
    """The price list of a text. Raises PricesError with every mistake."""
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise PricesError([Problem(name, int(line[1]) if line else None, str(error), "correct the TOML")]) from None
    reader = Reader(name, lines(text))
    reader.known(table, (), ("currency", "products", *TABLES, "rep"))
    currency = reader.take(table, (), "currency", str, "EUR")
    if currency not in list_currencies():
        reader.wrong(("currency",), f"“{currency}” is no currency", 'write its code, such as "EUR"')
    products = reader.take(table, (), "products", dict, {})
    prices = {slug: _amount(reader, products, ("products",), slug) for slug in products}
    instant, group, rebate = (_discounts(reader, table, kind) for kind in TABLES)
    found = PriceList(currency, prices, instant, group, rebate, _rep(reader, table))
    if reader.problems:
        raise PricesError(sorted(reader.problems, key=lambda problem: problem.line or 0))
    return found


def _discounts(reader: Reader, table: Mapping[str, Any], kind: str) -> tuple[Discount, ...]:
    found = []
    for number, one in enumerate(reader.take(table, (), kind, list, [])):
        path: Keys = (kind, number)
        if not isinstance(one, dict):
            reader.wrong((kind,), f"{kind} should be tables", f"write [[{kind}]] and below it percent = 5")
            continue
        reader.known(one, path, ("percent", "channels", "tiers", "from_volume"))
        percent = reader.take(one, path, "percent", (int, Decimal), REQUIRED)
        if percent is not None and not 0 < percent < 100:
            reader.wrong((*path, "percent"), f"{percent} percent is no discount", "write more than 0 and less than 100")
        if kind == "group" and "from_volume" not in one:
            reader.wrong(path, "a group purchase counts what is bought together", "add from_volume = …")
        channels, tiers = (_names(reader, one, path, key) for key in ("channels", "tiers"))
        volume = _volume(reader, one, path, "from_volume") or 0
        found.append(Discount(Decimal(percent or 0), channels, tiers, volume))
    return tuple(found)


def _rep(reader: Reader, table: Mapping[str, Any]) -> Rep:
    one, path = reader.take(table, (), "rep", dict, {}), ("rep",)
    reader.known(one, path, ("from_volume", "from_growth", "tiers"))
    growth = reader.take(one, path, "from_growth", (int, Decimal), None)
    if one and "from_volume" not in one and growth is None:
        reader.wrong(path, "[rep] says not from where on", "add from_volume or from_growth")
    volume = _volume(reader, one, path, "from_volume")
    return Rep(volume, None if growth is None else float(growth), _names(reader, one, path, "tiers"))


def _volume(reader: Reader, table: Mapping[str, Any], path: Keys, key: str) -> int | None:
    number = reader.take(table, path, key, int, None)
    if number is not None and number < 1:
        reader.wrong((*path, key), f"{key} is {number}", "write at least 1, or leave it out")
    return number  # type: ignore[no-any-return]


def _amount(reader: Reader, table: Mapping[str, Any], path: Keys, key: str) -> Decimal:
    amount = reader.take(table, path, key, (int, Decimal), Decimal(0))
    if amount <= 0:
        reader.wrong((*path, key), f"the list price of {key} is {amount}", "write what it costs, without a discount")
    return Decimal(amount)


def _names(reader: Reader, table: Mapping[str, Any], path: Keys, key: str) -> tuple[str, ...]:
    names = reader.take(table, path, key, list, [])
    if not all(isinstance(name, str) for name in names):
        reader.wrong((*path, key), f"{key} should be texts", f'write {key} = ["direct", "online"]')
        return ()
    return tuple(name.casefold() for name in names)
