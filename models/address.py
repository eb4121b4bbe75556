"""Address: one row per mailbox, never deleted. A committed suppression here is our promise not to write again."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from models.types import Id, Moment


class Address(SQLModel, table=True):
    """`address` is normalised (rules.address.normalise). The row is what arm and suppress both lock."""

    address: str = Field(primary_key=True)
    suppressed_at: datetime | None = Field(default=None, sa_type=Moment)
    suppressed_why: str | None = None  # SuppressedBy
    person: str | None = Field(default=None, index=True)  # whose it is, where somebody has confirmed several addresses


class SuppressedBy(StrEnum):
    """Why an address is suppressed, with the Reason (nurture.rules.reasons) for which its letters are skipped."""

    skip_reason: str

    def __new__(cls, code: str, skip_reason: str = "") -> "SuppressedBy":  # SuppressedBy("bounce") finds the member
        member = str.__new__(cls, code)
        member._value_, member.skip_reason = code, skip_reason
        return member

    UNSUBSCRIBE = "unsubscribe", "unsubscribed"
    COMPLAINT = "complaint", "complained"
    BOUNCE = "bounce", "bounced"
    PERSON = "person", "stopped_by_person"  # one of us, by hand


LIFTED = "lifted"  # in the record only: they took their unsubscribe back


class Suppression(SQLModel, table=True):
    """The record behind a suppressed address: who said stop, when, and where we heard it. Append-only.

    `models.queries.suppression` writes it and works out what stands.
    """

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    address: str = Field(index=True)
    at: datetime = Field(sa_type=Moment)
    why: str
    heard_from: str  # "unsubscribe page", "sendgrid event", "import", a person's name
    campaign: str | None = None
