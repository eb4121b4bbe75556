"""One spelling for each mailbox, so that nobody is written to twice because a list was typed by two people."""

import re
import unicodedata

from email_validator import EmailNotValidError, validate_email

LONGEST = 254  # what fits in an SMTP envelope
PLAIN = re.compile(  # nine addresses in ten; a strict subset of what the library accepts, at a tenth of its time
    r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
)
INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"))  # pasted along from web pages
BRACKETED = re.compile(r"[^<>]*<([^<>]+)>\s*")
NOBODY_READS = frozenset({"noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "mailer-daemon", "nobody"})
ROLES = frozenset({  # RFC 2142 and what companies print on their letters
    "abuse", "accounting", "accounts", "admin", "administrator", "billing", "bookkeeping", "buchhaltung", "compras",
    "contact", "contacto", "einkauf", "finance", "hello", "help", "hr", "info", "invoices", "jobs", "kontakt", "mail",
    "marketing", "office", "orders", "postmaster", "press", "purchasing", "reception", "root", "sales", "security",
    "service", "support", "team", "ventas", "vertrieb", "webmaster",
})  # fmt: skip


def normalise(email: str) -> str | None:
    """The mailbox's one spelling, or None where there is no mailbox in it (`why_not` says why).

    Lower case, without a display name; the domain as the wire knows it (xn--…), the rest in Unicode's composed form.
    Dots and +tags stay: they are the owner's business.
    """
    bare = email.strip().lower()
    if PLAIN.fullmatch(bare) and bare.find("@") <= 64 and len(bare) <= LONGEST:
        return bare
    found = _read(email)
    return None if isinstance(found, EmailNotValidError) else found


def why_not(email: str) -> str:
    """Why `normalise` found no mailbox, as one says it to the person who typed it."""
    bare = bare_of(email)
    if not bare:
        return "there is no e-mail address"
    if len(re.findall(r"[^\s;,<>@]+@[^\s;,<>@]+", email)) > 1:
        return "there is more than one address; a contact has one"
    if "," in bare.rpartition("@")[2]:
        return f"a comma stands where a dot is meant: {bare.replace(',', '.')}?"
    found = _read(email)
    return str(found).rstrip(".") if isinstance(found, EmailNotValidError) else ""


def nobody_reads(address: str) -> bool:
    """noreply@ and its like: a letter to it is a bounce at best."""
    return address.partition("@")[0] in NOBODY_READS


def is_role(address: str) -> bool:
    """info@, sales@ …: a desk, not a person. Welcome, though often the only address a small company has."""
    return address.partition("@")[0] in ROLES


def bare_of(email: str) -> str:
    """Without "Zoë O'Brien <…>", mailto:, quotation marks, a separator at the end and what cannot be seen."""
    bare = email.translate(INVISIBLE).strip().strip(";,").strip()
    if len(bare) > 2 and bare[0] == bare[-1] and bare[0] in "'\"":
        bare = bare[1:-1].strip()
    if bracketed := BRACKETED.fullmatch(bare):
        bare = bracketed[1].strip()
    return bare[7:].partition("?")[0].strip() if bare[:7].lower() == "mailto:" else bare


def _read(email: str) -> str | EmailNotValidError:
    bare = unicodedata.normalize("NFC", bare_of(email)).lower()
    try:
        checked = validate_email(bare, check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailNotValidError as error:
        return error
    if "." not in checked.ascii_domain:
        return EmailNotValidError(f"The part after the @-sign is no domain: {checked.domain}.")
    if len(checked.local_part.encode()) + 1 + len(checked.ascii_domain) > LONGEST:
        return EmailNotValidError("The address is too long.")
    return f"{checked.local_part}@{checked.ascii_domain}"
