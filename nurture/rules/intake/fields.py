"""What a file may tell us: the fields of each kind, how a cell of each is read, and which of them a row needs."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from models.address import SuppressedBy
from models.contact import Market, Stage
from models.opportunity import OpportunityOutcome, OpportunityStage
from nurture.rules.intake import addresses, cell_parsers, consent_words, names
from nurture.rules.intake.cell_parsers import CellFormat, CellValue, InvalidCell

Kind = Literal["accounts", "contacts", "activities", "orders", "opportunities", "suppressions"]
CellParser = Callable[[str, CellFormat], CellValue | InvalidCell]


class FieldSpec(NamedTuple):
    """How a field's cells are read, and what a bad or an empty one costs."""

    read: CellParser
    needed: bool = False  # a row without it is not imported
    strict: bool = False  # a bad cell stops the row; otherwise the row is imported without this value


def _one_of(words: Sequence[str], also: Mapping[str, str] | None = None) -> CellParser:
    table = {word: word for word in words} | dict(also or {})
    known = ", ".join(words)

    def read(cell: str, form: CellFormat) -> str | InvalidCell:
        return table.get(cell.casefold()) or InvalidCell(
            f"is none of {known}; translate it under [values.…] in the mapping"
        )

    return read


def email(cell: str, form: CellFormat) -> str | InvalidCell:
    """The mailbox's one spelling (`addresses.normalise`)."""
    found = addresses.normalise(cell)
    if found is None:
        return InvalidCell(addresses.why_not(cell))
    if addresses.nobody_reads(found):
        return InvalidCell("is an address nobody reads")
    return found


def aliases(cell: str, form: CellFormat) -> str | InvalidCell:
    """Other addresses of the same person in their one spelling, separated by spaces."""
    found = [address for part in re.split(r"[;,|\s]+", cell) if (address := addresses.normalise(part))]
    return " ".join(dict.fromkeys(found)) or InvalidCell(addresses.why_not(cell))


def several_ids(cell: str, form: CellFormat) -> str | InvalidCell:
    """The first of several ids in a cell, as CRMs write associations: "9003;9004" is 9003."""
    first, *others = (part.strip() for part in cell.split(";"))
    together = others and all(re.fullmatch(r"[\w-]*\d[\w-]*", part) for part in (first, *others))
    return cell_parsers.text(first if together else cell, form)


def domain(cell: str, form: CellFormat) -> str | InvalidCell:
    """foo.example from foo.example, www.foo.example, https://foo.example/about or someone@foo.example."""
    host = re.sub(r"^[a-z]+://", "", cell.lower()).rpartition("@")[2]
    host = re.split(r"[/?#:]", host)[0].removeprefix("www.").strip(".")
    found = addresses.normalise(f"x@{host}")
    return found.partition("@")[2] if found else InvalidCell("is not a domain; write it as foo.example")


def kind_of_activity(cell: str, form: CellFormat) -> str | InvalidCell:
    """page_view from "Page view": lower case, words joined by one underscore, at most 40 characters."""
    word = re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_")
    return (
        word
        if 0 < len(word) <= 40
        else InvalidCell("is not a kind of activity; write it as page_view, download, webinar …")
    )


def percent(cell: str, form: CellFormat) -> float | InvalidCell:
    """12.5 from "12.5", "12,5 %" or "+12.5%"; "-3" is a decline."""
    found = cell_parsers.number(cell.strip().rstrip("%").lstrip("+").strip(), form)
    return found if isinstance(found, InvalidCell) else float(found)


TEXT = FieldSpec(cell_parsers.text)
MARKETS = _one_of([m.value for m in Market], {"business": "b2b", "consumer": "b2c", "private": "b2c"})
OUTCOMES = _one_of(
    [o.value for o in OpportunityOutcome],
    {"closed won": "won", "closedwon": "won", "gewonnen": "won", "ganada": "won", "1": "won", "true": "won",
     "closed lost": "lost", "closedlost": "lost", "loss": "lost", "verloren": "lost", "perdida": "lost", "0": "lost",
     "false": "lost", "offen": "open", "abierta": "open"},
)  # fmt: skip

STAGES = _one_of(
    [p.value for p in OpportunityStage],
    dict.fromkeys(("rfp", "rfq", "ausschreibung", "licitación", "concurso", "licitație", "招标"), "tender")
    | dict.fromkeys(("review", "shortlist", "bewertung", "evaluación", "evaluare", "评估", "评审"), "evaluation")
    | dict.fromkeys(("quotation", "proposal", "offer", "angebot", "oferta", "cotización", "ofertă", "报价"), "quote")
    | dict.fromkeys(("negotiation", "verhandlung", "vertrag", "contrato", "negociación", "合同", "谈判"), "contract"),
)

REASONS = _one_of(
    [reason.value for reason in SuppressedBy],
    dict.fromkeys(
        ("unsubscribed", "opt out", "opted out", "opt-out", "global_unsubscribe", "group_unsubscribe"), "unsubscribe"
    )
    | dict.fromkeys(("spam", "spam report", "spamreport", "complained", "abuse"), "complaint")
    | dict.fromkeys(("bounced", "hard bounce", "hard_bounce", "hard", "invalid", "blocked", "cleaned"), "bounce"),
)

FIELDS: dict[Kind, dict[str, FieldSpec]] = {
    "accounts": {
        "key": FieldSpec(cell_parsers.text, needed=True), "name": FieldSpec(cell_parsers.text, needed=True),
        "domain": FieldSpec(domain),
        "industry": TEXT, "country": FieldSpec(names.country), "employees": FieldSpec(cell_parsers.whole), "tier": TEXT,
        "channel": TEXT, "volume": FieldSpec(cell_parsers.whole), "group_volume": FieldSpec(cell_parsers.whole),
        "growth": FieldSpec(percent),
        "owner_email": FieldSpec(email), "owner_name": TEXT,
    },
    "contacts": {
        "email": FieldSpec(email, needed=True), "key": TEXT, "market": FieldSpec(MARKETS, needed=True),
        "account": FieldSpec(several_ids), "account_name": TEXT, "first_name": TEXT, "last_name": TEXT,
        "name": TEXT, "title": TEXT,
        "phone": TEXT, "locale": FieldSpec(names.locale), "country": FieldSpec(names.country),
        "time_zone": FieldSpec(cell_parsers.time_zone), "consent": FieldSpec(consent_words.consent, strict=True),
        "consent_at": FieldSpec(cell_parsers.moment), "consent_source": TEXT,
        "unsubscribed": FieldSpec(consent_words.unsubscribed, strict=True),
        "bounced": FieldSpec(consent_words.marked), "complained": FieldSpec(consent_words.marked),
        "stage": FieldSpec(_one_of([s.value for s in Stage])), "created_at": FieldSpec(cell_parsers.moment),
        "alias": FieldSpec(aliases),
    },
    "activities": {
        "contact": FieldSpec(cell_parsers.text, needed=True), "market": FieldSpec(MARKETS, strict=True),
        "kind": FieldSpec(kind_of_activity, needed=True), "at": FieldSpec(cell_parsers.moment, needed=True),
        "detail": TEXT, "campaign": TEXT, "key": TEXT,
    },
    "orders": {
        "contact": FieldSpec(cell_parsers.text, needed=True), "market": FieldSpec(MARKETS, strict=True), "key": TEXT,
        "at": FieldSpec(cell_parsers.moment, needed=True), "amount": FieldSpec(cell_parsers.cents, needed=True),
        "currency": FieldSpec(names.currency, strict=True), "product": TEXT, "code": TEXT,
    },
    "opportunities": {
        "key": FieldSpec(cell_parsers.text, needed=True), "account": FieldSpec(several_ids, needed=True),
        "contact": FieldSpec(several_ids), "name": TEXT, "outcome": FieldSpec(OUTCOMES, strict=True),
        "amount": FieldSpec(cell_parsers.cents),
        "currency": FieldSpec(names.currency, strict=True), "opened_at": FieldSpec(cell_parsers.moment, needed=True),
        "closed_at": FieldSpec(cell_parsers.moment), "stage": FieldSpec(STAGES), "solution": TEXT,
        "tender_due_at": FieldSpec(cell_parsers.moment), "decision_at": FieldSpec(cell_parsers.moment),
        "criteria": TEXT,
    },
    "suppressions": {
        "email": FieldSpec(email, needed=True), "reason": FieldSpec(REASONS, needed=True),
        "at": FieldSpec(cell_parsers.moment),
    },
}  # fmt: skip
WITH_TRAITS = ("accounts", "contacts", "opportunities")
DATES = frozenset(f for fields in FIELDS.values() for f, how in fields.items() if how.read is cell_parsers.moment)
