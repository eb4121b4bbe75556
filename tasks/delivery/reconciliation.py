"""What nobody knew is settled: by a person, or by the provider's own log, never by the passing of time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Engine

from models.delivery_states import Trigger
from models.queries import reconciliation
from models.queries import request_steps as steps
from models.queries.reconciliation import UnknownRequest, Voucher
from models.queries.request_steps import MessageResult, Settled
from nurture.rules.delivery.reconciliation import AGAIN, ASKED, AT_ONCE, KEPT, NEAR, SETTLED, Finding, evidence, finding
from nurture.rules.delivery.scheduled_send import SURELY_OVER, over
from nurture.runtime import database
from nurture.runtime.clock import Clock
from tasks.task import task


class Log(Protocol):
    """A provider's own memory of what it took."""

    def has(self, email: str, attempt_id: str, at: datetime) -> bool:
        """Is a letter of this attempt to this person in it? Raises RuntimeError when it cannot be asked."""
        ...


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What the provider's log proved, in requests."""

    asked: int = 0
    sent: int = 0
    not_sent: int = 0
    held: int = 0
    trouble: str = ""  # why the log could not be asked
    said_before: bool = False  # the same trouble as last time


class NotUnknown(LookupError):
    """This request's end is known. `nurture unknown list` shows those that are."""


class MayStillLeave(NotUnknown):
    """The provider may keep these letters until their time, and that has not passed: nobody can know that they stay."""


def unknown_requests(engine: Engine) -> list[UnknownRequest]:
    """Every request whose end nobody knows, oldest first."""
    with database.reading(engine) as session:
        return reconciliation.unknown_requests(session)


def settle(engine: Engine, now: datetime, attempt_id: str, sent: bool, by: str) -> int:
    """Somebody knows: it was sent; or it was not, and its letters wait again. Returns how many letters.

    Raises NotUnknown, MayStillLeave.
    """
    with database.writing(engine) as session:
        if (found := reconciliation.lock_unknown(session, attempt_id)) is None:
            raise NotUnknown(f"request {attempt_id} is not unknown: see `nurture unknown list`")
        if not sent and found.send_at and not over(found.send_at, now):
            until = f"{found.send_at + SURELY_OVER:%Y-%m-%d %H:%M} UTC"
            raise MayStillLeave(
                f"request {attempt_id} may be kept by the provider and still leave: say so after {until}"
            )
        ids = reconciliation.unknown_messages(session, attempt_id)
        why = f"{by}: it was {'sent' if sent else 'not sent'}"
        trigger = Trigger.SETTLE_SENT if sent else Trigger.SETTLE_NOT_SENT
        results = [] if sent else [MessageResult(i, trigger, detail=why, not_before=now) for i in ids]
        settled = Settled(f"{found.detail or 'unknown'}; {why}")
        steps.record_answer(session, attempt_id, trigger, results, now, settled)
        return len(ids)


@task("reconcile what nobody knows")
def reconcile(engine: Engine, clock: Clock, channel: str, log: Log) -> Reconciled:
    """Ask the provider's log about every unknown request that is old enough, and settle what it proves.

    One letter found proves that the whole request was taken. Nothing found proves the opposite only if letters that
    surely were taken shortly before and after are found in the same way. No session is open while the log is asked.
    What it said is kept with the request, for `nurture unknown list`.
    """
    counts = dict.fromkeys(Finding, 0)
    said: dict[str, str] = {}
    trouble = ""
    waiting = _to_ask(engine, clock(), channel)
    for row in waiting:
        try:
            found, said[row.id] = _look_up(engine, clock, channel, log, row)
        except RuntimeError as error:
            trouble = str(error)
            break
        counts[found] += 1
        if found is not Finding.UNKNOWN:
            try:
                settle(engine, clock(), row.id, found is Finding.SENT, "the provider's log")
            except NotUnknown:
                continue  # an event was faster
    left = {row.id: trouble for row in waiting if row.id not in said}
    if waiting:
        with database.writing(engine) as session:
            reconciliation.note_log_answers(session, said | left, clock())
    again = any(row.evidence == trouble for row in waiting)
    asked = len(said) + bool(trouble)
    return Reconciled(
        asked, counts[Finding.SENT], counts[Finding.NOT_SENT], counts[Finding.UNKNOWN], trouble, bool(trouble) and again
    )


def _to_ask(engine: Engine, now: datetime, channel: str) -> list[UnknownRequest]:
    """Those that are ripe and were not asked about lately; the longest unasked first."""
    with database.reading(engine) as session:
        rows = reconciliation.unknown_requests(session, channel)
    ripe = [
        row
        for row in rows
        if SETTLED <= now - row.moments[-1] <= KEPT and (row.asked_at is None or now - row.asked_at >= AGAIN)
    ]
    return sorted(ripe, key=lambda row: row.asked_at or row.armed_at)[:AT_ONCE]


def _look_up(engine: Engine, clock: Clock, channel: str, log: Log, row: UnknownRequest) -> tuple[Finding, str]:
    moments = row.moments
    with database.reading(engine) as session:
        people = reconciliation.recipient_emails(session, row.id, ASKED)
        around = [reconciliation.vouchers(session, channel, at, NEAR) for at in moments]
        known = {one.id for pair in around for one in pair if one}
        email_of = {attempt_id: reconciliation.recipient_emails(session, attempt_id, 1) for attempt_id in known}

    def has(email: str, of: UnknownRequest | Voucher) -> bool:
        return any(log.has(email, of.id, at) for at in of.moments)

    def in_log(vouching: list[Voucher | None]) -> bool:
        return all(one is not None and any(has(email, one) for email in email_of[one.id]) for one in vouching)

    before = in_log([pair.before for pair in around])  # asked first, and the other last: a blind log is found out
    seen = [has(email, row) for email in people]
    after = in_log([pair.after for pair in around])
    found = finding(seen, before, after, moments[-1], clock())
    return found, evidence(found, before, after)
