"""What the double took: letters in memory, and a journal that outlives a kill."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from .limits import LONGEST_UNBROKEN_LIST_UNSUBSCRIBE, Json

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Keep = Literal["full", "keys", "none"]


@dataclass(slots=True)
class Letter:
    """One acceptance: one letter for one reader.

    With `keep="keys"` only the address, the ids, our `nt_` custom_args and the moment are kept.
    """

    to: str
    message_id: str = ""  # X-Message-Id, shared by the whole request
    index: int = 0  # of the personalization
    accepted_at: datetime = EPOCH  # for a scheduled letter: when it left, not when it was handed over
    custom_args: dict[str, str] = field(default_factory=dict)
    categories: Sequence[str] = ()
    to_name: str = ""
    from_email: str = ""
    from_name: str = ""
    reply_to: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    send_at: int | None = None
    batch_id: str | None = None
    events: list[Json] = field(default_factory=list)  # what has happened, as the Email Logs tell it

    @property
    def sg_message_id(self) -> str:
        """`<X-Message-Id>.<which server, which recipient>`, as every event names it."""
        return f"{self.message_id}.recvd-5d6f7c8b9-double-1-0000.{self.index}"


def delivered_headers(given: Mapping[str, str]) -> dict[str, str]:
    """The headers as they arrive: a long List-Unsubscribe comes out MIME-encoded [observed]."""
    return {
        name: mime_encoded(value)
        if name.lower() == "list-unsubscribe" and len(value.encode()) > LONGEST_UNBROKEN_LIST_UNSUBSCRIBE
        else value
        for name, value in given.items()
    }


def mime_encoded(value: str) -> str:
    return "=?us-ascii?Q?" + value.replace("=", "=3D").replace("?", "=3F").replace("_", "=5F") + "?="


def recipients(person: Json) -> Iterator[Json]:
    for kind in ("to", "cc", "bcc"):
        yield from person.get(kind, ())


class Journal:
    """An append-only file, one JSON line per acceptance, one write per request.

    `{"kind": "accepted", "request", "of", "to", "custom_args", "mono_ns", "wall"}`; kind `scheduled` says a letter
    was handed over for later. There is no fsync: the page cache survives SIGKILL, and only that is tested here.
    The kernel may still stop in the middle of a large write, so each line says how many its request has:
    what `read_journal` does not find whole was never answered and counts as not taken.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.file = open(path, "ab", buffering=0)  # noqa: SIM115 (open as long as the double)
        if self.size and not Path(path).read_bytes().endswith(b"\n"):
            self.file.write(b"\n")  # a kill tore the last line; what follows must not be glued to it

    @property
    def size(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    def write(self, kind: str, request: str, letters: Sequence[tuple[str, Mapping[str, str]]], wall: datetime) -> None:
        stamp = {"kind": kind, "request": request, "of": len(letters), "mono_ns": time.monotonic_ns(), "wall": wall}
        lines = [orjson.dumps({**stamp, "to": to, "custom_args": args}) for to, args in letters]
        if lines:
            self.file.write(b"\n".join(lines) + b"\n")

    def close(self) -> None:
        self.file.close()


def read_journal(path: str | os.PathLike[str], kind: str | None = "accepted") -> list[dict[str, Any]]:
    """The acceptances that were written whole, in order; `kind=None` for every kind."""
    blocks: dict[tuple[str, str, int], list[dict[str, Any]]] = defaultdict(list)
    for line in whole_lines(Path(path).read_bytes().split(b"\n")):
        blocks[line["kind"], line["request"], line["mono_ns"]].append(line)
    return [
        line
        for block in blocks.values()
        if len(block) == block[0]["of"] and kind in (None, block[0]["kind"])
        for line in block
    ]


def whole_lines(raw: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in raw:
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError:
            continue  # torn by a kill; the next run appends behind it
