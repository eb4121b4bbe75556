"""How a file is written: packed or not, in which encoding. One look at all its bytes, before a row is read."""

import codecs
import gzip
import hashlib
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

BLOCK = 1 << 20
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
WESTERN = ("cp1252", "iso8859-1", "iso8859-15")  # every byte is a letter in these: they never say that they are wrong


SMALL_AMID = re.compile(r"(?<=[A-Za-z])[àáâãäåæçèéêëìíîïñòóôõöøœùúûüýÿß’](?=[A-Za-z\W])")
STRANGE_AMID = re.compile(r"(?<=[a-z])[^\W_a-zà-öø-ÿœßı](?=[a-z])|(?<=[A-Za-z])[^\x00-\x7f\w’‘]|[‡†‰Žž](?=[a-z])")


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
    """Read all bytes of a file once. Raises FileError where it cannot be unpacked."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
        size = file.tell()
        file.seek(0)
        head = file.read(8)
    packed = head.startswith(b"\x1f\x8b")
    probe = FileProbe(digest.hexdigest(), size, packed, head.startswith(b"PAR1"), b"")
    if probe.parquet:
        return probe
    try:
        with unpacked(path, packed) as file:
            probe.head = file.read(BLOCK)
            file.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8")()
            while block := file.read(BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        probe.utf8 = False
        if not probe.head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            probe.mixed = _is_mixed(path, packed)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise FileError(path.name, "is damaged: it cannot be unpacked", "Fetch or save it again.") from None
    return probe


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
    """The file's bytes, those of its content where it is packed (gzip)."""
    return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")


def _western(head: bytes) -> str:
    """Mac Roman or cp1252: in the wrong one, accented letters become signs or capitals amid small letters."""
    plausible = {}
    for encoding in ("cp1252", "mac_roman"):
        text = head.decode(encoding, "replace")
        plausible[encoding] = len(SMALL_AMID.findall(text)) - len(STRANGE_AMID.findall(text))
    return max(plausible, key=lambda encoding: plausible[encoding])  # the first, where they are alike


def encoding_of(path: Path, probe: FileProbe, said: str | None) -> str:
    """The encoding to read a file with; `said` is what the mapping says, or None.

    Raises FileError where that would garble names. charset-normalizer is not used: tried on the same files, it took
    plain cp1252 for cp775 or cp1250, which garbles them.
    """
    for bom, encoding in BOMS:
        if probe.head.startswith(bom):
            return encoding  # whatever the mapping says: a file with this mark can be nothing else
    sample = probe.head[:4096]
    if sample.count(0) > len(sample) // 4:
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    if said is None:
        return "utf-8" if probe.utf8 or probe.mixed else _western(probe.head)
    stated = codecs.lookup(said).name
    if stated in WESTERN and probe.utf8 and not probe.head.isascii():
        raise FileError(
            path.name,
            f"is UTF-8, though the mapping says encoding = {said!r}: names would be garbled",
            'Say encoding = "utf-8", or nothing at all.',
        )
    return said
