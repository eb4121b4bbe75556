"""Letter stops: letters that wait are skipped when their address is suppressed or their account is stopped.

`models.queries.suppression` and `models.queries.account_stop` write the stops down. Stops are heard late, twice and out
of order, so a letter's reason is worked out from all that is known, never from what was heard last: the earliest stop
is the one that counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple, TypeVar

from sqlalchemy import ColumnElement, and_, or_, select
from sqlmodel import Session, col

from models.account import Account
from models.address import Address, SuppressedBy
from models.contact import Contact
from models.delivery_states import State, Trigger, change_state
from models.enrolment import Enrolment
from models.message import SALES, Message
from models.message import TABLE as MESSAGE

ACCOUNT_STOPPED = "account_stopped"  # a Reason of nurture.rules.reasons; a test holds the two together
REASON_OF = {by: by.skip_reason for by in SuppressedBy}  # why an address is suppressed → why its letters are skipped
CHUNK = 1_000

T = TypeVar("T")


class LetterRecipient(NamedTuple):
    """Whom a letter was written to, as far as its unsubscribe link needs to know."""

    address: str
    campaign: str
    locale: str | None


class StoppableLetter(NamedTuple):
    """A letter that waits or was skipped by a stop, with every stop known of its address, account and enrolment."""

    id: int
    state: str
    reason: str | None
    not_after: datetime
    campaign: str
    suppressed_at: datetime | None
    suppressed_why: str | None
    account_stopped_at: datetime | None
    enrolment_stopped_at: datetime | None

    @property
    def stop_reason(self) -> str | None:
        """The reason of the earliest stop that came while the letter could still leave; None where nothing stops it."""
        stops: list[tuple[datetime, str]] = []
        if self.suppressed_at and self.suppressed_why:
            stops.append((self.suppressed_at, REASON_OF[SuppressedBy(self.suppressed_why)]))
        if self.campaign != SALES:  # a mail to sales about the account is what an answer calls for
            accounts = (self.account_stopped_at, self.enrolment_stopped_at)
            stops += [(at, ACCOUNT_STOPPED) for at in accounts if at]
        in_time = [stop for stop in stops if self.state == State.WAITING or stop[0] <= self.not_after]
        return min(in_time)[1] if in_time else None


def recipient_of(session: Session, message_id: int) -> LetterRecipient | None:
    """Whom a letter was written to; None where there is no such letter. By primary keys."""
    row = session.execute(
        select(col(Message.address), col(Message.campaign), col(Contact.locale))
        .outerjoin(Contact, col(Contact.id) == Message.contact_id)
        .where(col(Message.id) == message_id)
    ).first()
    return LetterRecipient(*row) if row else None


def skip_stopped_letters(session: Session, whose: ColumnElement[bool]) -> None:
    """Skip the waiting letters that a stop concerns; one skipped by a later stop gets the earlier one's reason, if it
    still waited then.

    `whose`: a condition on Message. Found by message_address, or by the index on account or contact: a lead has a few
    dozen messages. One that a sender is claiming this moment is passed over: the claim holds it and waits for our
    address, and looks at it then.
    """
    skipped: dict[str, list[int]] = defaultdict(list)
    for letter in _stoppable(session, whose):
        reason = letter.stop_reason
        if reason and (letter.state, letter.reason) != (State.SKIPPED, reason):
            skipped[reason].append(letter.id)
    for reason, ids in sorted(skipped.items()):
        for some in chunks(ids):
            session.execute(
                change_state(MESSAGE, Trigger.FORBID, State.WAITING, State.SKIPPED)
                .where(MESSAGE.c.id.in_(some))
                .values(reason=reason, detail=None)
            )


def _stoppable(session: Session, whose: ColumnElement[bool]) -> list[StoppableLetter]:
    left = and_(
        col(Enrolment.campaign) == Message.campaign,
        col(Enrolment.address) == Message.address,
        col(Enrolment.why) == ACCOUNT_STOPPED,
    )
    reasons = (*REASON_OF.values(), ACCOUNT_STOPPED)
    rows = session.execute(
        select(
            col(Message.id), col(Message.state), col(Message.reason), col(Message.not_after), col(Message.campaign),
            col(Address.suppressed_at), col(Address.suppressed_why), col(Account.stopped_at), col(Enrolment.ended_at),
        )
        .join(Address, col(Address.address) == Message.address)
        .outerjoin(Account, col(Account.id) == Message.account_id)
        .outerjoin(Enrolment, left)
        .where(whose, or_(col(Message.state) == State.WAITING,
                          and_(col(Message.state) == State.SKIPPED, col(Message.reason).in_(reasons))))
        .order_by(col(Message.id))
        .with_for_update(of=Message, skip_locked=True)
    )  # fmt: skip
    return [StoppableLetter._make(row) for row in rows]


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """The items in lists of at most a thousand: what an IN-list holds."""
    rest = iter(items)
    while some := list(islice(rest, CHUNK)):
        yield some
