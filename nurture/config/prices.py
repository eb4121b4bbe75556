"""prices.toml read and checked: list prices, discounts by channel, tier and volume, and where a person talks."""

from collections.abc import Mapping
from decimal import Decimal

from babel.numbers import list_currencies

from nurture.config.toml_file import ConfigFileError, Problem, TomlTable, parse_toml
from nurture.rules.planning.prices import Discount, PriceList, Rep

FILE = "prices.toml"
TABLES = ("instant", "group", "rebate")


class PricesError(ConfigFileError):
    """prices.toml cannot be used."""


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
    table = parse_toml(text, name, PricesError, Decimal)
    table.expect_only(("currency", "products", *TABLES, "rep"))
    currency = table.get("currency", str, "EUR")
    if currency not in list_currencies():
        table.wrong("currency", f"“{currency}” is no currency", 'write its code, such as "EUR"')
    products = table.table("products")
    prices = {slug: _amount(products, slug) for slug in products}
    instant, group, rebate = (_discounts(table, kind) for kind in TABLES)
    found = PriceList(currency, prices, instant, group, rebate, _rep(table.table("rep")))
    table.file.raise_problems(PricesError)
    return found


def _discounts(table: TomlTable, kind: str) -> tuple[Discount, ...]:
    found = []
    for one in table.tables(kind, f"write [[{kind}]] and below it percent = 5"):
        one.expect_only(("percent", "channels", "tiers", "from_volume"))
        one.missing("percent")
        percent = one.decimal("percent", None)
        if percent is not None and not 0 < percent < 100:
            one.wrong("percent", f"{percent} percent is no discount", "write more than 0 and less than 100")
        if kind == "group" and "from_volume" not in one:
            one.wrong(None, "a group purchase counts what is bought together", "add from_volume = …")
        channels, tiers = (_names(one, key) for key in ("channels", "tiers"))
        found.append(Discount(percent or Decimal(0), channels, tiers, _volume(one, "from_volume") or 0))
    return tuple(found)


def _rep(table: TomlTable) -> Rep:
    table.expect_only(("from_volume", "from_growth", "tiers"))
    growth = table.decimal("from_growth", None)
    if table and "from_volume" not in table and growth is None:
        table.wrong(None, "[rep] says not from where on", "add from_volume or from_growth")
    return Rep(_volume(table, "from_volume"), None if growth is None else float(growth), _names(table, "tiers"))


def _volume(table: TomlTable, key: str) -> int | None:
    number = table.get(key, int, None)
    if number is not None and number < 1:
        table.wrong(key, f"{key} is {number}", "write at least 1, or leave it out")
    return number


def _amount(table: TomlTable, key: str) -> Decimal:
    amount = table.decimal(key, Decimal(0))
    if amount <= 0:
        table.wrong(key, f"the list price of {key} is {amount}", "write what it costs, without a discount")
    return amount


def _names(table: TomlTable, key: str) -> tuple[str, ...]:
    return tuple(name.casefold() for name in table.texts(key, f'write {key} = ["direct", "online"]'))
