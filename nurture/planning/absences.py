"""Absences: automatic replies that nobody has noted yet, and until when each keeps letters waiting."""

from datetime import datetime, timedelta

from sqlmodel import Session

from models.account_pause import AUTOMATIC, ActivePause, ActivePauses, NotedAbsence, unnoted_auto_replies
from nurture.rules.feedback.out_of_office import letters_go_on_at
from nurture.rules.planning.hours import zone_of

READ_FOR = timedelta(days=30)  # automatic replies older than that are not read any more


def unnoted_absences(session: Session, now: datetime, contact_id: int | None = None) -> list[NotedAbsence]:
    """What the next run of a sequence will note, oldest first; of one contact, or of everybody."""
    replies = unnoted_auto_replies(session, now - READ_FOR, now, contact_id)
    return [
        NotedAbsence(one.address, one.at, letters_go_on_at(one.detail, one.at, zone_of(one.country, one.time_zone)),
                     "is out of office", AUTOMATIC)
        for one in {(reply.address, reply.at): reply for reply in replies}.values()
    ]  # fmt: skip


def with_absences(pauses: ActivePauses, absences: list[NotedAbsence]) -> ActivePauses:
    """The pauses as they will be when these absences are noted."""
    people = {one.address: ActivePause(max(one.until, one.at), one.why, one.by) for one in absences}
    return pauses._replace(people={**pauses.people, **people})
