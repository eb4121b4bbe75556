"""A look at a thousand recipients at once, so that the double keeps up with the senders it measures.

`surely_fine` reads whole columns (all addresses, all names, all values) instead of recipient by recipient. True means
the careful look in `refusals` would find nothing; False means only that somebody has to look carefully.
"""

from __future__ import annotations

from itertools import chain
from json.encoder import encode_basestring_ascii
from typing import Any

from .limits import (
    ADDRESS,
    HEADER_NAME,
    LONGEST_ADDRESS,
    MOST_CUSTOM_ARGS,
    MOST_RECIPIENTS,
    MOST_SUBSTITUTIONS,
    RESERVED_HEADERS,
)

QUICK = {"to": list, "subject": str, "headers": dict, "custom_args": dict, "substitutions": dict}
AROUND_A_PAIR = len('"":"",')
WIDEST = len(r"\ud83d\ude00")  # one character as ASCII JSON, at most


def surely_fine(mail: dict[str, Any], people: list[Any]) -> bool:
    if mail.get("template_id", "").startswith("d-"):
        return False
    if set(map(type, people)) != {dict} or not set().union(*people) <= QUICK.keys():
        return False
    columns = {name: [person[name] for person in people if name in person] for name in QUICK}
    if any(set(map(type, column)) - {QUICK[name]} for name, column in columns.items()):
        return False
    return (
        len(columns["to"]) == len(people)
        and all(columns["to"])
        and all(columns["subject"])
        and fine_people(list(chain.from_iterable(columns["to"])))
        and fine_headers(columns["headers"])
        and fine_texts(columns["custom_args"], MOST_CUSTOM_ARGS, mail.get("custom_args", {}))
        and fine_texts(columns["substitutions"], MOST_SUBSTITUTIONS, {})
    )


def fine_people(people: list[Any]) -> bool:
    if len(people) > MOST_RECIPIENTS or set(map(type, people)) != {dict}:
        return False
    if not set().union(*people) <= {"email", "name"} or not all("email" in someone for someone in people):
        return False
    addresses = [someone["email"] for someone in people]
    names = [someone["name"] for someone in people if "name" in someone]
    if not set(map(type, chain(addresses, names))) <= {str}:
        return False
    together = "".join(names)
    return (
        max(map(len, addresses)) <= LONGEST_ADDRESS
        and all(map(ADDRESS.fullmatch, addresses))
        and len(set(map(str.lower, addresses))) == len(addresses)
        and ";" not in together
        and "," not in together
    )


def fine_headers(columns: list[dict[str, Any]]) -> bool:
    values = list(chain.from_iterable(map(dict.values, columns)))
    if not set(map(type, values)) <= {str}:
        return False
    names = set().union(*columns)
    together = "".join(values)
    return (
        all(HEADER_NAME.fullmatch(name) and name.lower() not in RESERVED_HEADERS for name in names)
        and "\r" not in together
        and "\n" not in together
    )


def fine_texts(columns: list[dict[str, Any]], most: int, shared: dict[str, Any]) -> bool:
    if not set(map(type, chain(shared.values(), chain.from_iterable(map(dict.values, columns))))) <= {str}:
        return False
    budget = most - bound(shared)
    if not columns or budget < 0:
        return budget >= 0
    every_name = len("".join(set().union(*columns)))
    longest = max(map(len, map("".join, map(dict.values, columns))))
    if (every_name + longest) * WIDEST + AROUND_A_PAIR * max(map(len, columns)) < budget:
        return True  # even one recipient with all the names and the longest values would fit
    return all(bound(column) <= budget for column in columns)


def bound(words: dict[str, str]) -> int:
    """At least the bytes of the object as ASCII JSON."""
    return len(encode_basestring_ascii("".join(chain(words, words.values())))) + AROUND_A_PAIR * len(words)
