"""Send pause: nothing leaves, for all, for one campaign or for one sending domain, until somebody says go on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Table, delete, select
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel

from models.bulk_upsert import upsert
from models.types import Moment


class ScopeKind(StrEnum):
    """What a send pause stops."""

    EVERYTHING = "everything"
    RESTORE_GUARD = "restore_guard"  # everything, until a person confirms that the database remembers what was sent
    CAMPAIGN = "campaign"
    DOMAIN = "domain"  # of the sender


@dataclass(frozen=True, slots=True, order=True)
class PauseScope:
    """What a send pause stops. Printed as `everything`, `restore_guard`, `campaign:<slug>` or `domain:<name>`."""

    kind: ScopeKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)

    @classmethod
    def parse(cls, text: str) -> "PauseScope":
        """The scope that prints like this. Raises ValueError for a kind that there is not."""
        kind, _, name = text.partition(":")
        return cls(ScopeKind(kind), name)

    @classmethod
    def campaign(cls, slug: str) -> "PauseScope":
        """One campaign, by its slug."""
        return cls(ScopeKind.CAMPAIGN, slug)

    @classmethod
    def domain(cls, name: str) -> "PauseScope":
        """One sending domain."""
        return cls(ScopeKind.DOMAIN, name.lower())

    @classmethod
    def named(cls, name: str | None) -> "PauseScope":
        """What a person names on the command line: nothing for everything, else a campaign, or a domain, whose name has
        dots where a campaign's has none."""
        if name is None:
            return EVERYTHING
        return cls.domain(name) if "." in name else cls.campaign(name)

    @property
    def is_total(self) -> bool:
        """Does it stop all sending?"""
        return self.kind in (ScopeKind.EVERYTHING, ScopeKind.RESTORE_GUARD)


EVERYTHING = PauseScope(ScopeKind.EVERYTHING)
RESTORE_GUARD = PauseScope(ScopeKind.RESTORE_GUARD)


class SendPause(SQLModel, table=True):
    """A pause in force. It takes effect at the next claim and the next arming."""

    __tablename__ = "send_pause"

    scope: str = Field(primary_key=True)  # a PauseScope, printed
    why: str
    by: str
    at: datetime = Field(sa_type=Moment)


class _NewPause(NamedTuple):
    scope: str
    why: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SendPauses:
    """The pauses in force: what each stops, and why."""

    why_of: Mapping[PauseScope, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.why_of)

    def why(self, campaign: str, domain: str | None) -> str | None:
        """Why nothing of this campaign from this sending domain may leave; None if it may."""
        scopes = (EVERYTHING, RESTORE_GUARD, PauseScope.campaign(campaign), PauseScope.domain(domain or ""))
        return next((self.why_of[scope] for scope in scopes if scope in self.why_of), None)

    @property
    def stop_everything(self) -> bool:
        """Is all sending paused?"""
        return any(scope.is_total for scope in self.why_of)

    def names(self, kind: ScopeKind) -> Collection[str]:
        """The paused campaigns, or the paused domains."""
        return [scope.name for scope in self.why_of if scope.kind is kind]


def pause_sending(session: Session, scope: PauseScope, why: str, by: str, now: datetime) -> None:
    """Stop sending; takes effect at the next claim and the next arming. Said again, the newest reason stands."""
    upsert(session, SendPause, [_NewPause(str(scope), why, by, now)], key=["scope"])


def resume_sending(session: Session, scope: PauseScope) -> bool:
    """Go on. False when nothing was paused."""
    return bool(session.execute(delete(TABLE).where(TABLE.c.scope == str(scope))).rowcount)  # type: ignore[attr-defined]


def send_pauses(session: Session) -> SendPauses:
    """Every send pause in force."""
    rows = session.execute(select(TABLE.c.scope, TABLE.c.why).order_by(TABLE.c.scope))
    return SendPauses({PauseScope.parse(scope): why for scope, why in rows})


TABLE: Table = SendPause.__table__  # type: ignore[attr-defined]
