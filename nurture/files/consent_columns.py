"""Columns that may say yes or no to e-mail: found by what they are called and by what stands in them.

A no that is overlooked becomes a letter to somebody who left, so whatever might be such a column is reported: it is used,
or the mapping is not complete.
"""
# ruff: noqa: E501  lists of words read better in long lines

import re
from collections.abc import Sequence
from enum import StrEnum

from nurture.files.column_words import plain_name
from nurture.rules.intake import consent_words
from nurture.rules.intake.cell_parsers import CellFormat, InvalidCell

PLAIN = CellFormat()


class ConsentRole(StrEnum):
    """What a column says: the field of a mapping that takes it."""

    CONSENT = "consent"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


MAIL = re.compile(
    r"\b(e ?mails?|mails?|mailings?|newsletters?|news|nieuwsbrief|courriels?|correos?|boletin|e ?post|posta elettronica)\b|邮|邮件"
)
OTHER_CHANNEL = re.compile(
    r"\b(sms|mms|phone|call|calls|calling|telephone|telefon\w*|telefoon|telefono|anruf\w*|whats ?app|fax|viber|push|"
    r"post|postal|postwerbung|brief\w*|courrier|direct mail|mobile|text|texts|cookies?|web|track\w*|anonymi\w*)\b|短信|电话"
)
WHEN = re.compile(r"\b(time|date|datum|at|on|am|timestamp|fecha|data)\b")
ABOUT = re.compile(  # not whether, but whence or which
    r"\b(ip|mode|by|source|quelle|origin|origen|method|url|form|reason|grund|campaign|"
    r"topics?|types?|plan|page|version|text|wording|id|count|number|rate|total|opens?|clicks?|title|last)\b"
)
NO = re.compile(
    r"unsub|opt(ed)? ?out|optout|\bdo ?not (?!modify)|\bdon t\b|\bdont\b|\bno (e ?mails?|mails?|marketing|contact|news\w*|mailings?)\b|"
    r"black ?list|block ?list|\bblocked\b|suppress|\bdnc\b|\bdne\b|\bdnm\b|\bexclude|\bstop\b|\brevoked\b|\bwithdrawn\b|"
    r"abgemeldet|abmeld|abbestell|werbesperre|mailsperre|\w*sperre\b|gesperrt|keine (werbung|e ?mails?|mails?|newsletter)|widerruf|widersproch|widerspruch|"
    r"desabonn|desinscri|ne pas (contacter|envoyer|solliciter)|oppos(ition|e)|refus|"
    r"\bbaja\b|no (contactar|enviar|desea|quiere)|darse de baja|excluido|dezabon|nu (contactati|trimite|doreste)|"
    r"disiscri|cancellat|non (contattare|inviare|desidera)|revoca|afgemeld|uitgeschreven|afmeld|niet (mailen|contacteren|benaderen)|"
    r"descadastr|nao (contatar|contactar|enviar)|wypis|nie (kontaktowa\w*|wysyla\w*)|rezygn|sprzeciw|"
    r"avregistr|avanmal|frameld|avmeld|tackat nej|退订|拒收|黑名单|取消订阅"
)
BOUNCE = re.compile(
    r"\bbounce[sd]?\b|hard ?bounce|\bcleaned?\b|undeliver|unzustellbar|invalid e ?mail|e ?mail (is )?invalid|rebot[ae]|rebotado|退信"
)
COMPLAINT = re.compile(r"\bspam\b|complain|\babuse\b|beschwerde|\bqueja|\bplainte")
YES = re.compile(
    r"opt(ed)? ?in|optin|consent|newsletter|news letter|\bsubscri(be[rd]?|ption)s?\b|accepts?( e ?mail)? marketing|"
    r"marketing (status|permissions?|allowed|ok|e ?mails?|opt|preferences?)|e ?mail marketing|^marketing$|\bmailings?( (ok|allowed|list|erwunscht|erlaubt))?$|"
    r"\bagree\b|receive( \w+)? (e ?mails?|news|marketing|updates|offers)|(e ?mail|keep) me\b|sign me up|\bpermission\w*|\bgdpr\b|dsgvo|\brgpd\b|einwillig|zustimm|werbe?erlaubnis|werbung|werbe ?mails?|darf|"
    r"abonn|inscri(t|te|ption|to|ta)\b|infolettre|boletin|suscri|acepta|autoriza|publicidad|acord|abonat|abonare|consimt|consens|"
    r"\biscri(tto|tta|zione)|toestemming|ingeschreven|aangemeld|nieuwsbrief|inscricao|aceita|novidades|zgod[ay]|subskryb|"
    r"samtycke|samtykke|nyhetsbrev|nyhedsbrev|prenumer|tilmeldt|同意|订阅|许可|"
    r"\b(mailable|emailable|contactable)\b|\b(can|may|ok to|okay to|allow|allowed to)( we)? (e ?mail|contact|mail|write)\b|"
    r"^ok$|^e ?mail (ok|allowed|status|subscription\w*|preferences?|permission\w*)$|^promo\w*( e ?mails?)?$|e ?mails? ok\b"
)
STATUS = re.compile(r"\b(status|state|statut|estado|stato|stav|stare)\b|状态")
WORDS = (
    consent_words.OPTED_IN
    | consent_words.REFUSED
    | {"never subscribed", "nonsubscribed", "unconfirmed", "not subscribed"}
)


TELLING = frozenset({"subscribed", "unsubscribed", "opted in", "opted out", "bounced", "cleaned", "never subscribed", "unconfirmed",
                     "blocklisted", "blacklisted", "suppressed", "abgemeldet", "angemeldet", "désabonné", "abonné", "dado de baja",
                     "suscrito", "dezabonat", "abonat", "disiscritto", "afgemeld", "wypisany", "已退订", "已订阅"})  # fmt: skip


def role_of(header: str, cells: Sequence[str]) -> ConsentRole | None:
    """What a column says about e-mail; None where it says nothing. `cells`: those of a sample that are not empty."""
    name = plain_name(header)
    share = _share(cells)
    if cells and sum("@" in cell for cell in cells) > len(cells) / 2:
        return None
    tells = _words_share(cells) >= 0.6 or (
        STATUS.search(name) and any(consent_words.word_of(c) in TELLING for c in cells)
    )
    if tells and not NO.search(name) and not _only_other_channel(name):
        return ConsentRole.CONSENT
    if _only_other_channel(name):
        return None
    about = bool(ABOUT.search(name)) and not (cells and share >= 0.8)
    when = bool(WHEN.search(name)) and not (cells and share >= 0.8)
    for pattern, role in ((NO, ConsentRole.UNSUBSCRIBED), (COMPLAINT, ConsentRole.COMPLAINED),
                          (BOUNCE, ConsentRole.BOUNCED)):  # fmt: skip
        if pattern.search(name):
            if (
                about and role is ConsentRole.UNSUBSCRIBED
            ):  # the day on which they left says that they did; why, and which letter it was, does not
                return None
            if role is not ConsentRole.UNSUBSCRIBED and re.search(r"\b(count|rate|soft|total|number)\b|sofort", name):
                return None
            return role
    if YES.search(name) and not about and not when and _dates_share(cells) <= 0.5:
        return ConsentRole.CONSENT
    return None


def might_be_consent(header: str, cells: Sequence[str]) -> bool:
    """A column of yes and no, or of dates and addresses of a consent, that no name gives away: a person must look."""
    words = {cell.casefold() for cell in cells}
    plain = words <= {"0", "1"} and len(words) < 2  # a lonely 1 is a count
    return bool(words) and not plain and not _only_other_channel(plain_name(header)) and _share(cells) == 1.0


def _only_other_channel(name: str) -> bool:
    return bool(OTHER_CHANNEL.search(name)) and not MAIL.search(name)


def _share(cells: Sequence[str]) -> float:
    """How many of the cells are a yes, a no or a word of consent; 1 where there are none."""
    if not cells:
        return 1.0
    read = sum(not isinstance(consent_words.consent(cell, PLAIN), InvalidCell) for cell in cells)
    return read / len(cells)


def _words_share(cells: Sequence[str]) -> float:
    return sum(consent_words.word_of(cell) in WORDS for cell in cells) / len(cells) if cells else 0.0


def _dates_share(cells: Sequence[str]) -> float:
    return sum(bool(consent_words.DATED.match(cell)) for cell in cells) / len(cells) if cells else 0.0
