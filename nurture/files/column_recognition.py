"""Which column of a file is what: recognised by its name in ten languages, and by what stands in its cells."""
# ruff: noqa: E501  lists of words read better in long lines

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from nurture.files.column_words import names_of, plain_name
from nurture.files.consent_columns import ConsentRole, might_be_consent, role_of
from nurture.rules.intake import addresses, cell_parsers, names
from nurture.rules.intake.cell_parsers import CellFormat, InvalidCell
from nurture.rules.intake.fields import DATES, FIELDS, MARKETS, CellParser, Kind

CALLED = Path(__file__).with_name("column_names.toml")
LOOKED_AT = 60  # cells of a column
NEVER_BY_NAME = frozenset({"consent", "unsubscribed", "bounced", "complained", "reason", "account_name"})
LOOSELY = frozenset({"phone", "country", "amount", "currency", "at", "created_at", "opened_at", "closed_at", "locale", "time_zone",
                     "employees", "code", "industry"})  # fmt: skip
MONEY = ("amount",)
COUNTS = ("employees", "volume", "group_volume", "growth")
DAY_FIRST, MONTH_FIRST = CellFormat(dates="day-first"), CellFormat(dates="month-first")
SIGNS: dict[Kind, tuple[tuple[str, float], ...]] = {  # words in a column's name that speak for a kind, and how loudly
    "opportunities": (
        (r"\b(deal|deals|opportunit\w*|potential|verkaufschance\w*|oportunidad\w*|opportunita|trattativa|szansa|negocio)\b", 2),
        (r"\b(pipeline|probability|forecast|wahrscheinlichkeit|probabilite|probabilidad|closing date|close date)\b", 2),
        (r"\b(expected (revenue|close|closing)|closed won|closed lost|win|lost reason|lost because|abschluss\w*|cierre|cloture)\b", 2),
        (r"\b(stage|phase|etapa|etape|fase|etap)\b", 1.5), (r"\b(closed|opened|next step|tender|rfp)\b", 1),
    ),
    "orders": (
        (r"\b(order|orders|invoice|lineitem|line item|bestell\w*|auftrag\w*|rechnung\w*|commande|facture|pedido|factura|"
         r"ordine|fattura|zamowieni\w*|comanda|comenzii|bestelling|encomenda|transaction)\b|订单", 2),
        (r"\b(sku|subtotal|shipping|refund\w*|vat|tax|taxes|quantity|qty|coupon|discount|voucher|payment|paid|fulfillment|cart|gutschein\w*)\b", 1),
        (r"\b(total|amount|betrag|importe|montant|importo|kwota|product|item|price|gross|fee)\b|金额", 0.7),
    ),
    "activities": (
        (r"^(event|event type|event name|activity|activity type|action|what|metric|kind|what)$|^activity\b", 2),
        (r"\b(event|clicked|page|url|user agent|session|message id|referrer|utm\w*|join time|leave time|done|attended|ereignis|aktivitat|evento|webinar)\b", 1),
        (r"\b(timestamp|when|occurred|processed|due date)\b", 1),
    ),
    "accounts": (
        (r"\b(industry|branche|secteur|industria|settore|employees|mitarbeiter\w*|effectif|empleados|dipendenti|angajati|annual revenue|jahresumsatz)\b|行业|员工", 2),
        (r"\b(website|web|domain|homepage|sitio web|site web|webseite)\b|网站", 1.5), (r"\b(company name|account name|firmenname|raison sociale|razon social|firma|empresa|societe|tier)\b|公司", 1),
    ),
    "contacts": (
        (r"\b(first ?name|last ?name|vorname|nachname|prenom|apellidos?|cognome|voornaam|achternaam|surname|given name|family name|imie|nazwisko|prenume)\b|姓名", 2),
        (r"\b(job title|birthday|salutation|anrede|civilite|geburtstag|lifecycle stage|lead status|lead owner|contact owner|lists?|tags|subscriber\w*)\b", 1),
        (r"\b(title|phone|mobile|position|telefon|telefono|telephone|full name|name)\b|电话|职位", 0.7),
    ),
    "suppressions": ((r"\b(bounce\w*|unsub\w*|suppress\w*|spam|block\w*|complain\w*)\b", 1),),
}  # fmt: skip
FILE_SIGNS: dict[Kind, str] = {
    "opportunities": r"deal|opportunit|pipeline", "orders": r"order|invoice|sales|bestell|pedido|commande|transaction",
    "activities": r"activit|event|track|webinar", "accounts": r"compan|account|firmen|organi[sz]ation",
    "contacts": r"contact|lead|customer|people|person|subscriber|audience|member|kontakt|client",
    "suppressions": r"suppress|bounce|unsubscribes?\b|global_unsub|spam|block|do.?not|opt.?outs?\b|blacklist|dnc",
}  # fmt: skip
ONLY_SUPPRESSED = re.compile(  # columns that a do-not-mail list may have beside the address
    r"^(e ?mail\w*( address)?|address|created( at)?|date( added)?|added( at)?|at|time|timestamp|reason|status|ip|type|bounce\w*|classification|group( id| name)?|"
    r"code|message|description|source|unsubscribed at|list|id|unsub\w*( time| date| at)?|suppressed at|complained at|mx|domain)$"
)


class SampleColumn(NamedTuple):
    """A column and the first cells of it that are not empty."""

    header: str
    cells: Sequence[str]


@dataclass
class Recognised:
    """What a file is, and which of its columns are which fields. `undecided` might say yes or no to e-mail."""

    kind: Kind
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    undecided: list[str] = field(default_factory=list)


def recognise(columns: Sequence[SampleColumn], file_name: str) -> Recognised:
    """The kind of a file and its fields."""
    roles = {c.header: role for c in columns if (role := role_of(c.header, c.cells))}
    if kind := _list_of_suppressed(columns, roles, file_name):
        return Recognised(kind, _fields(kind, columns, {}))
    found = {kind: _fields(kind, columns, roles) for kind in FIELDS if kind != "suppressions"}
    best = max(found, key=lambda kind: _score(kind, columns, found[kind], roles, file_name))
    if roles and best in ("orders", "activities") and {"email", "first_name"} <= found["contacts"].keys():
        best = "contacts"  # people with their yes and no come first
    recognised = Recognised(best, found[best])
    if best == "contacts":
        _add_consent(recognised, columns, roles)
    return recognised


def _list_of_suppressed(
    columns: Sequence[SampleColumn], roles: Mapping[str, ConsentRole], file_name: str
) -> Kind | None:
    """A list of addresses that must not be mailed, and of nothing else that one would know of a lead."""
    if not any(_fits("email", c.cells) for c in columns) or len(columns) > 8:
        return None
    if not all(ONLY_SUPPRESSED.match(plain_name(c.header)) for c in columns):
        return None
    named = re.search(FILE_SIGNS["suppressions"], file_name.lower())
    signs = {"reason", "status", "ip", "bounce type", "classification"} & {plain_name(c.header) for c in columns}
    return "suppressions" if named or roles or len(signs) >= 1 else None


def _score(
    kind: Kind, columns: Sequence[SampleColumn], fields: Mapping[str, tuple[str, ...]],
    roles: Mapping[str, ConsentRole], file_name: str,
) -> float:  # fmt: skip
    score = 0.0
    for column in columns:
        name = plain_name(column.header)
        score += max((weight for sign, weight in SIGNS[kind] if re.search(sign, name)), default=0)
    score += 2.0 * bool(re.search(FILE_SIGNS[kind], file_name.lower()))
    score -= 4.0 * sum(one not in fields for one in _needed(kind))
    if kind == "contacts":
        score += 1.0 * ("email" in fields) + 1.5 * len(roles)
    return score + len(fields) / 100


def _needed(kind: Kind) -> tuple[str, ...]:
    """What a file of a kind cannot be without."""
    return {
        "accounts": ("name",), "contacts": ("email",), "activities": ("contact", "kind", "at"),
        "orders": ("contact", "at", "amount"), "opportunities": ("opened_at",), "suppressions": ("email",),
    }[kind]  # fmt: skip


def _fields(
    kind: Kind, columns: Sequence[SampleColumn], roles: Mapping[str, ConsentRole]
) -> dict[str, tuple[str, ...]]:
    """Field → columns: the best name first, each column once; an address also by its look."""
    offers: list[tuple[float, str, str]] = []
    for name in FIELDS[kind]:
        wanted = _wanted(kind, name)
        for column in columns:
            if column.header in roles or not wanted:
                continue
            if (closeness := _closeness(column.header, wanted, name in LOOSELY)) and _fits(name, column.cells):
                offers.append((closeness, name, column.header))
    found: dict[str, str] = {}
    for _, name, header in sorted(offers, key=lambda offer: -offer[0]):
        if name not in found and header not in found.values():
            found[name] = header
    if kind in ("contacts", "suppressions") and "email" not in found:
        likely = [c for c in columns if c.header not in roles and _share_of_addresses(c.cells) > 0.5
                  and not re.search(r"\b(owner|rep|from|sender|besitzer)\b", plain_name(c.header))]  # fmt: skip
        if likely:
            found["email"] = max(likely, key=lambda c: _share_of_addresses(c.cells)).header
    if kind == "accounts" and "key" not in found and "name" in found:
        found["key"] = found["name"]
    if kind == "orders" and found.get("key") and found.get("key") == found.get("contact"):
        del found["key"]
    return {name: (found[name],) for name in FIELDS[kind] if name in found}


def _closeness(header: str, wanted: Sequence[str], loosely: bool) -> float:
    """1 for the first of the names wanted, less for later ones and for a name that words had to be taken from; where
    `loosely`, least of all for one that stands amid other words."""
    best = 0.0
    for shortened, name in enumerate(names_of(header)):
        if name in wanted:
            best = max(best, 1.0 - 0.4 * shortened / 3 - wanted.index(name) / 1_000)
    if best or not loosely:
        return best
    words = f" {plain_name(header)} "
    amid = [i for i, name in enumerate(wanted) if len(name) >= 4 and f" {name} " in words]
    return 0.3 - amid[0] / 1_000 if amid else 0.0


@lru_cache(200)
def _wanted(kind: Kind, name: str) -> tuple[str, ...]:
    called = _called()
    if name in NEVER_BY_NAME:
        return ()
    said = called.get(f"{name} of {kind}", called.get(name, ()))
    return (*said, plain_name(name)) if said else (plain_name(name),)


@lru_cache(1)
def _called() -> dict[str, tuple[str, ...]]:
    """Field, or "field of kind" → the names of its column."""
    found: dict[str, tuple[str, ...]] = {}
    for name, said in tomllib.loads(CALLED.read_text("utf-8")).items():
        if isinstance(said, dict):
            found |= {f"{name} of {kind}": tuple(words) for kind, words in said.items()}
        else:
            found[name] = tuple(said)
    return found


def _fits(name: str, cells: Sequence[str]) -> bool:
    """May these cells be such a field? Columns without a cell may be anything."""
    some = cells[:LOOKED_AT]
    if not some:
        return True
    if name in ("email", "alias", "owner_email"):
        return sum("@" in c or "＠" in c for c in some) >= len(some) * 0.5
    if name in DATES:
        return _share(some, lambda c: _is_date(c)) >= 0.4
    if name in (*MONEY, *COUNTS):
        return _share(some, _is_number) >= 0.5
    if name == "phone":
        return _share(some, lambda c: sum(map(str.isdigit, c)) >= 5) >= 0.5
    readers: dict[str, CellParser] = {"country": names.country, "locale": names.locale, "time_zone": cell_parsers.time_zone,
               "currency": names.currency, "market": MARKETS}  # fmt: skip
    if read := readers.get(name):
        return _share(some, lambda c: not isinstance(read(c, CellFormat()), InvalidCell)) >= 0.5
    if name in ("first_name", "last_name", "name", "title", "account", "industry", "owner_name", "product", "kind"):
        return _share_of_addresses(some) < 0.5 and (name == "account" or _share(some, _is_number) < 0.9)
    return True


def _is_date(cell: str) -> bool:
    return any(not isinstance(cell_parsers.moment(cell, form), InvalidCell) for form in (DAY_FIRST, MONTH_FIRST))


def _is_number(cell: str) -> bool:
    found = cell_parsers.number(cell, CellFormat())
    return (
        not isinstance(found, InvalidCell)
        or "two ways" in found.why
        or bool(re.fullmatch(r"[\d.,+ ]+[-–][\d., ]+", cell))
    )


def _share(cells: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, cells)) / len(cells)


def _share_of_addresses(cells: Sequence[str]) -> float:
    some = cells[:LOOKED_AT]
    return sum(addresses.normalise(c) is not None for c in some) / len(some) if some else 0.0


def _add_consent(found: Recognised, columns: Sequence[SampleColumn], roles: Mapping[str, ConsentRole]) -> None:
    """The columns that say yes or no; what might be one and has no name for it is left to a person."""
    for header, role in roles.items():
        found.fields[role.value] = (*found.fields.get(role.value, ()), header)
    used = {header for headers in found.fields.values() for header in headers}
    if not {"consent", "unsubscribed"} & found.fields.keys():
        found.undecided = [c.header for c in columns
                           if c.header not in used and c.cells and might_be_consent(c.header, c.cells)]  # fmt: skip
