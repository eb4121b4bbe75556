"""The links in our letters: who may unsubscribe, who may answer a handoff. Signed, so that nobody can guess one.

A token is `subject.signature`, or `subject.expiry.signature`: a row's number, never a person. It is signed for one
purpose with HMAC-SHA256, cut to 144 bits: 24 characters of base64 with no spare bits, so a token has one spelling.
An unsubscribe token has at most 43 characters (for row numbers up to 18 digits): a longer List-Unsubscribe header
gets folded or encoded on its way, and then mail programs show no button.
"""

import hashlib
import hmac
import os
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from itsdangerous import Signer
from itsdangerous.signer import HMACAlgorithm

from nurture.runtime.settings import Settings

UNSUBSCRIBE, HANDOFF, SALES, GROUP = "unsubscribe", "handoff", "sales", "group"
HANDOFF_LASTS = timedelta(days=30)
_TOKEN = re.compile(r"[1-9][0-9]{0,18}(\.[0-9]{1,12})?\.[A-Za-z0-9_-]{24}")


class _Cut(HMACAlgorithm):
    """HMAC-SHA256, the first 18 bytes: as strong as anybody needs, and a third shorter."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha256")[:18]


class Links:
    """Makes and reads links. `secrets` is newest first: the newest signs, all of them are still read."""

    def __init__(self, secrets: Sequence[str], web_url: str) -> None:
        if not secrets or min(map(len, secrets)) < 16:
            raise ValueError(
                "NURTURE_SECRET is too short: give at least 16 characters, or leave it empty to have one made"
            )
        self.web_url = web_url.rstrip("/")
        self._signers = {
            purpose: Signer(list(reversed(secrets)), salt=purpose, key_derivation="hmac",
                            digest_method=hashlib.sha256, algorithm=_Cut())
            for purpose in (UNSUBSCRIBE, HANDOFF, SALES, GROUP)
        }  # fmt: skip
        self._keys = {purpose: signer.derive_key() for purpose, signer in self._signers.items()}

    def token(self, purpose: str, subject: int, expires_at: datetime | None = None) -> str:
        """A signed name for a row, for one purpose; good for ever, or until a moment."""
        value = f"{subject}.{int(expires_at.timestamp())}" if expires_at else str(subject)
        mac = hmac.digest(self._keys[purpose], value.encode(), "sha256")  # as the signer does, its key derived once
        return f"{value}.{urlsafe_b64encode(mac[:18]).decode()}"

    def read(self, purpose: str, token: str, now: datetime) -> int | None:
        """The row a token speaks of; None if we never made it, made it for something else, or its time is over."""
        if not _TOKEN.fullmatch(token) or not self._signers[purpose].validate(token):
            return None
        subject, *expiry = token.split(".")[:-1]
        if expiry and int(expiry[0]) < now.timestamp():
            return None
        return int(subject)

    def unsubscribe(self, message_id: int) -> str:
        """Never expires: the law wants every old letter's link to work."""
        return f"{self.web_url}/u/{self.token(UNSUBSCRIBE, message_id)}"

    def handoff(self, handoff_id: int, now: datetime) -> str:
        """A lead's page for the salesperson who got it."""
        return f"{self.web_url}/h/{self.token(HANDOFF, handoff_id, now + HANDOFF_LASTS)}"

    def group(self, account_id: int, now: datetime) -> str:
        """The buying group of an account, as marketing looks at it."""
        return f"{self.web_url}/g/{self.token(GROUP, account_id, now + HANDOFF_LASTS)}"

    def sales(self, handoff_id: int, now: datetime) -> str:
        """The open leads of whoever got this handoff: the token names the handoff, not its owner."""
        return f"{self.web_url}/sales/{self.token(SALES, handoff_id, now + HANDOFF_LASTS)}"


def links_for(settings: Settings) -> Links:
    """The installation's links: NURTURE_SECRET (several, comma separated, newest first) or the secret kept in `var`."""
    given = [s.strip() for s in settings.secret.get_secret_value().split(",") if s.strip()]
    return Links(given or _kept(settings.var / "secret"), settings.web_url)


def _kept(file: Path) -> list[str]:
    """The secrets in a file, one a line, newest first. Made once; two processes that start together agree on one."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = file.with_name(f".secret-{secrets.token_hex(8)}")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_urlsafe(32) + "\n")
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(made, file)  # whole or not at all, and only the first one wins
        except FileExistsError:
            pass  # the other process was first: its secret is ours
        finally:
            made.unlink()
    return file.read_text().split()
