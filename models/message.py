"""Message: one letter to one lead. The row is the outbox; the database forbids the second copy."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from models.moment import Id, Moment


class State(StrEnum):
    WAITING = "waiting"  # written to the outbox, not yet offered to anybody
    CLAIMED = "claimed"  # a worker holds it under a lease, nothing has left
    ARMED = "armed"  # committed just before the request: from here on it may have been sent
    ACCEPTED = "accepted"  # the provider took it. Never taken back
    SKIPPED = "skipped"  # we decided not to send; `reason` says why
    REFUSED = "refused"  # the provider will never take it; `reason` says why
    UNKNOWN = "unknown"  # nobody knows: held for evidence, never sent again by a timer


LEDGER = {  # which of the ledger's five groups a state counts in
    State.WAITING: "waiting",
    State.CLAIMED: "waiting",
    State.ARMED: "unknown",  # honest: it may be on the wire this very moment
    State.ACCEPTED: "accepted",
    State.SKIPPED: "skipped",
    State.REFUSED: "refused",
    State.UNKNOWN: "unknown",
}


class Message(SQLModel, table=True):
    __table_args__ = (
        UniqueConstraint("campaign", "letter", "address"),  # the promise: never twice, whatever the version or variant
        Index("message_due", "not_before", "id", sqlite_where=text("state = 'waiting'"),
              postgresql_where=text("state = 'waiting'")),
        Index("message_attempt", "attempt_id", sqlite_where=text("attempt_id IS NOT NULL"),
              postgresql_where=text("attempt_id IS NOT NULL")),  # partial: a full one made the planner scan
        Index("message_address_accepted", "address", "accepted_at"),  # how much has this person had lately?
        Index("message_ledger", "campaign", "version_id", "step", "state"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    campaign: str
    version_id: int = Field(sa_type=Id)
    step: int  # position in that version's steps, from 0: for the ledger, never for identity
    letter: str
    address: str = Field(foreign_key="address.address")
    contact_id: int | None = Field(default=None, index=True, sa_type=Id)
    account_id: int | None = Field(default=None, index=True, sa_type=Id)
    handoff_id: int | None = Field(default=None, sa_type=Id)  # for mails to sales
    state: str = Field(default=State.WAITING)
    reason: str | None = None  # Reason: of a skip or refusal, or of the last wait
    detail: str | None = None  # the same in words, with its figures
    planned_at: datetime = Field(sa_type=Moment)
    not_before: datetime = Field(sa_type=Moment)
    not_after: datetime = Field(sa_type=Moment)  # a restored backup does not send last month's sale
    attempt_id: str | None = None
    tries: int = 0  # certain refusals of a batch it was in; halves the next one
    accepted_at: datetime | None = Field(default=None, sa_type=Moment)
    outcome: str | None = None  # what happened then: delivered, opened, clicked, replied, bounced, dropped, complained
    outcome_at: datetime | None = Field(default=None, sa_type=Moment)
