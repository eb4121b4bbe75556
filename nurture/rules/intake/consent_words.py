"""What people write for yes and no, for subscribed, opted out, bounced and never asked, in a dozen languages."""

import re
from functools import lru_cache

from models.address import SuppressedBy
from models.contact import Consent
from nurture.rules.intake.cell_parsers import CellFormat, InvalidCell

YES = frozenset({
    "yes", "y", "true", "1", "1.0", "x", "✓", "✔", "☑", "on", "checked", "ticked", "ja", "j", "oui", "o", "sí",
    "si", "s", "da", "да", "tak", "sim", "sì", "igen", "ano", "áno", "evet", "kyllä", "jah", "taip", "jā", "是",
    "对", "真", "はい", "예", "wahr", "vrai", "verdadero", "vero", "waar", "prawda", "sant", "verdadeiro", "adevărat",
})  # fmt: skip
NO = frozenset({
    "no", "n", "false", "0", "0.0", "off", "unchecked", "nein", "nej", "nei", "ne", "nie", "não", "nao", "non",
    "nu", "нет", "hayır", "ei", "nem", "否", "不", "不是", "假", "いいえ", "아니요", "falsch", "faux", "falso",
    "onwaar", "nee", "fałsz", "falskt", "fals", "nepravda",
})  # fmt: skip
OPTED_IN = frozenset({
    "granted", "allow", "opt in", "opted in", "optin", "optedin", "opted into", "subscribe", "subscribed", "subscriber",
    "consented", "consent given", "agreed", "accepted", "allowed", "permission granted", "double opt in",
    "confirmed opt in", "express", "explicit",
    "angemeldet", "abonniert", "eingewilligt", "zugestimmt", "abonné", "abonnée", "inscrit", "inscrite", "suscrito",
    "suscrita", "abonat", "abonată", "iscritto", "iscritta", "aangemeld", "ingeschreven", "inscrito", "inscrita",
    "zapisany", "zapisana", "prenumererar", "tilmeldt", "påmeldt", "同意", "订阅", "已订阅",
})  # fmt: skip
OPTED_OUT = frozenset({
    "withdrawn", "do not allow", "not allowed", "opt out", "opted out", "optout", "optedout", "unsubscribe",
    "unsubscribed", "unsubscriber", "revoked",
    "declined", "denied", "refused", "objected", "removed", "do not contact", "do not email", "do not e mail",
    "do not mail", "do not send", "don't contact", "don't email", "dnc", "no marketing", "no emails", "no email",
    "blocklisted", "blacklisted", "block listed", "black listed", "blocked", "suppressed", "global unsubscribe",
    "abgemeldet", "abbestellt", "ausgetragen", "widerrufen", "widersprochen", "gesperrt", "keine werbung",
    "désabonné", "désabonnée", "désinscrit", "désinscrite", "desabonne", "refusé", "baja", "dado de baja",
    "dada de baja", "cancelado", "rechazado", "dezabonat", "dezabonată", "disiscritto", "disiscritta", "annullato",
    "afgemeld", "uitgeschreven", "descadastrado", "descadastrada", "cancelada", "wypisany", "wypisana", "avregistrerad",
    "avprenumererad", "frameldt", "afmeldt", "avmeldt", "退订", "已退订", "取消订阅", "拒绝",
})  # fmt: skip
NEVER_ASKED = frozenset({
    "unknown", "?", "n/a", "na", "none", "null", "nil", "undefined", "not set", "not asked", "not specified",
    "never subscribed", "not subscribed", "nonsubscribed", "non subscribed", "pending", "unconfirmed", "not confirmed",
    "awaiting", "awaiting confirmation", "no consent", "no opt in", "not opted in", "transactional", "archived",
    "unbekannt", "offen", "ausstehend", "desconocido", "pendiente", "necunoscut", "inconnu", "en attente",
    "sconosciuto", "onbekend", "desconhecido", "nieznany", "okänd", "未知",
})  # fmt: skip
BOUNCED = frozenset({
    "bounce", "bounced", "hard bounce", "hard bounced", "hardbounce", "hardbounced", "cleaned", "invalid",
    "invalid email", "undeliverable", "unzustellbar", "invalide", "rebotado", "rebote", "respins",
})  # fmt: skip
COMPLAINED = frozenset({
    "complained", "complaint", "complainer", "spam", "spam report", "spamreport", "spam reported", "spam complaint",
    "reported spam", "reported as spam", "marked as spam", "abuse", "abuse report",
})  # fmt: skip
EMPTY = frozenset({"-", "[]", "{}", "()", "null", "none"})
LEFT = re.compile(r"suppress|unsub|opt(ed)?.?out|bounce|spam|complain|bl(o|a)ck.?list")
REFUSED = OPTED_OUT | COMPLAINED | BOUNCED
DATED = re.compile(r"\d{4}[-/.]\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{2}")


def word_of(cell: str) -> str:
    """A cell as these lists have it: lower case, "opted-in" and "OPTED_IN" as "opted in", without a full stop."""
    low = re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", cell.casefold().strip()).rstrip(".!").replace("’", "'")
    return low or cell.strip()


@lru_cache(1_000)
def consent(cell: str, form: CellFormat) -> str | InvalidCell:
    """ "granted", "withdrawn" or "unknown"; anything that is not plainly one of them is no answer.

    A bounce says nothing of what the person wants: "unknown", and `refusal` says that the mailbox is dead.
    """
    word = word_of(cell)
    first = re.split(r"[,;:(!–]", word)[0].strip()  # "yes, please"
    for said in (word, first):
        if said in YES or said in OPTED_IN or said == Consent.GRANTED:
            return Consent.GRANTED.value
        if said in NO or said in OPTED_OUT or said in COMPLAINED:
            return Consent.WITHDRAWN.value
        if said in NEVER_ASKED or said in BOUNCED:
            return Consent.UNKNOWN.value
    return InvalidCell(
        "is neither yes nor no; say in the mapping what it means: "
        f'[values.consent] "{cell[:30]}" = "granted", "withdrawn" or "unknown"'
    )


@lru_cache(1_000)
def refusal(cell: str) -> SuppressedBy | None:
    """Why an address whose consent says this must not be mailed; None where it says no such thing."""
    word = word_of(cell)
    first = re.split(r"[,;:(!–]", word)[0].strip()
    for said in (word, first):
        if said in BOUNCED:
            return SuppressedBy.BOUNCE
        if said in COMPLAINED:
            return SuppressedBy.COMPLAINT
        if said in NO or said in OPTED_OUT:
            return SuppressedBy.UNSUBSCRIBE
    return None


@lru_cache(1_000)
def unsubscribed(cell: str, form: CellFormat) -> bool | InvalidCell:
    """Whether they left, from yes and no, from words of status, or from the day on which they did."""
    word = word_of(cell)
    if word in YES or word in REFUSED or DATED.match(cell):
        return True
    if word in NO or word in OPTED_IN or word in NEVER_ASKED or word in EMPTY:
        return False
    return True if LEFT.search(word) else InvalidCell("is neither yes nor no")


@lru_cache(4_000)
def marked(cell: str, form: CellFormat) -> bool:
    """Whether a cell of a column of bounces or complaints says that there was one: anything but a no is a reason."""
    word = word_of(cell)
    return not (word in NO or word in OPTED_IN or word in NEVER_ASKED or word in EMPTY or word.startswith("soft"))
