"""The mark outside the database: a small file that says how far sending has come, whatever becomes of the database."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from nurture.rules.delivery.restore_guard import RestoreMark
from nurture.runtime.settings import Settings


class MarkUnreadable(RuntimeError):
    """The file is there and says nothing. `nurture resume --restored` writes it anew, once somebody has looked."""


@dataclass(frozen=True, slots=True)
class RestoreMarkFile:
    path: Path

    def read(self) -> RestoreMark | None:
        """None: there is no such file. Raises Unreadable."""
        try:
            told = json.loads(self.path.read_text("utf-8"))
            return RestoreMark(str(told["name"]), int(told["mark"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MarkUnreadable(f"{self.path} cannot be read ({type(error).__name__}): is the disk well?") from None

    def write(self, mark: RestoreMark) -> None:
        """On disk when this returns, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(mark), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)


def restore_mark_file(settings: Settings) -> RestoreMarkFile | None:
    """Where the mark stands. None for the mailbox: nothing leaves this machine, so nothing can be sent twice."""
    return None if settings.channel == "mailbox" else RestoreMarkFile(settings.marker or settings.var / "sending.json")
