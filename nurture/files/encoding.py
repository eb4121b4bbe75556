"""How a file is written: packed or not, in which encoding. One look at all its bytes, before a row is read."""

import codecs
import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

BLOCK = 1 << 20
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
WESTERN = ("cp1252", "iso8859-1", "iso8859-15")  # every byte is a letter in these: they never say that they are wrong


class FileError(Exception):
    """The file as a whole cannot be read: says why and how to save it instead. Nothing of it was imported."""

    def __init__(self, file: str, what: str, mend: str = "") -> None:
        super().__init__(f"{file}: {what}" + (f"\n  {mend}" if mend else ""))
        self.file, self.what, self.mend = file, what, mend


@dataclass
class FileProbe:
    """What one look at all the bytes tells, before a row is read."""

    sha256: str
    size: int
    packed: bool
    parquet: bool
    head: bytes
    utf8: bool = True  # every byte
    mixed: bool = False  # some lines are UTF-8 with more than ASCII in them, others are not UTF-8


def probe_file(path: Path) -> FileProbe:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
        size = file.tell()
        file.seek(0)
        head = file.read(8)
    packed = head.startswith(b"\x1f\x8b")
    weighed = FileProbe(digest.hexdigest(), size, packed, head.startswith(b"PAR1"), b"")
    if weighed.parquet:
        return weighed
    try:
        with unpacked(path, packed) as file:
            weighed.head = file.read(BLOCK)
            file.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8")()
            while block := file.read(BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        weighed.utf8 = False
        if not weighed.head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            weighed.mixed = _is_mixed(path, packed)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise FileError(path.name, "is damaged: it cannot be unpacked", "Fetch or save it again.") from None
    return weighed


def _is_mixed(path: Path, packed: bool) -> bool:
    with unpacked(path, packed) as file:
        for line in file:
            if not line.isascii():
                try:
                    line.decode("utf-8")
                    return True
                except UnicodeDecodeError:
                    pass
    return False


def unpacked(path: Path, packed: bool) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")


def encoding_of(path: Path, weighed: FileProbe, said: str | None) -> str:
    for bom, encoding in BOMS:
        if weighed.head.startswith(bom):
            return encoding  # whatever the mapping says: a file with this mark can be nothing else
    sample = weighed.head[:4096]
    if sample.count(0) > len(sample) // 4:
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    if said is None:
        return "utf-8" if weighed.utf8 or weighed.mixed else "cp1252"
    stated = codecs.lookup(said).name
    if stated in WESTERN and weighed.utf8 and not weighed.head.isascii():
        raise FileError(
            path.name,
            f"is UTF-8, though the mapping says encoding = {said!r}: names would be garbled",
            'Say encoding = "utf-8", or nothing at all.',
        )
    return said
