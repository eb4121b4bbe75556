"""The mailbox: every message as a real .eml file, for trying things out before anything leaves the house."""

from pathlib import Path


def path(folder: Path, message_id: int) -> Path:
    """Where a message's file is. A thousand to a folder, so that no folder grows without end."""
    return folder / f"{message_id // 1000:06d}" / f"{message_id}.eml"
