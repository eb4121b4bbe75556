"""A column's name without what makes no difference: case, accents, hyphens, whose it is."""
# ruff: noqa: E501  lists of words read better in long lines

import re
import unicodedata

OWNERS = re.compile(
    r"^(mailing|person|contact|organization|organisation|activity|deal|lead|customer|default address|primary address|billing|shipping|properties|"
    r"subscriber|attendee|buyer|profile|company|account|opportunity|order|member|user|primary|kontakt|kunde|firma|contacto|cliente) "
)
PLACES = re.compile(
    r" (billing|shipping|work|person|contact|primary|geschaftlich|rechnung|facturation|de facturacion)$"
)


def plain_name(header: str) -> str:
    """Lower case, without accents, each run of other signs one space: "E-Mail_Adresse (Büro)" is "e mail adresse buro"."""
    spread = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)
    bare = "".join(c for c in unicodedata.normalize("NFKD", spread.casefold()) if not unicodedata.combining(c))
    bare = bare.replace("ß", "ss").replace("ø", "o").replace("ł", "l").replace("æ", "ae").replace("đ", "d")
    return " ".join(re.findall(r"[^\W_]+", bare))


def names_of(header: str) -> list[str]:
    """The names under which a column may be known: its own first, then without the words that say whose it is."""
    name = plain_name(header)
    found = [name]
    for shorter in (OWNERS.sub("", name), PLACES.sub("", name), PLACES.sub("", OWNERS.sub("", name))):
        if shorter and shorter not in found:
            found.append(shorter)
    return found
