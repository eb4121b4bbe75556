"""The lifecycle as it was logged: who stands in which stage, how far they came, how long they stayed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Integer, Subquery, and_, case, cast, func, literal, select, union_all
from sqlmodel import Session, col

from models.contact import Contact, Transition
from models.types import Moment, days_between

Counts = dict[tuple[str, str], int]  # (market, stage) → contacts

C = Contact.__table__.c  # type: ignore[attr-defined]
T = Transition.__table__.c  # type: ignore[attr-defined]


class LoggedMove(NamedTuple):
    """A lead's move from one stage to the next, as it was logged."""

    contact_id: int
    stage_from: str | None
    stage_to: str
    at: datetime
    why: str


def stage_at(session: Session, contact_id: int, now: datetime) -> str | None:
    """The stage somebody stood in at a moment; None where no move of theirs was ever logged."""
    mine = T.contact_id == contact_id
    before = select(T.stage_to).where(mine, T.at <= now).order_by(T.at.desc(), T.id.desc()).limit(1)
    after = select(T.stage_from).where(mine, T.at > now).order_by(T.at, T.id).limit(1)
    said: str | None = session.execute(before).scalar() or session.execute(after).scalar()
    return said


def moves(session: Session, contact_ids: Sequence[int], since: datetime, now: datetime) -> list[LoggedMove]:
    """Every logged move of some contacts, oldest first. By the index on the log's contact."""
    rows = session.execute(
        select(T.contact_id, T.stage_from, T.stage_to, T.at, T.why)
        .where(T.contact_id.in_(contact_ids), T.at > since, T.at <= now)
        .order_by(T.at, T.id)
    )
    return [LoggedMove._make(row) for row in rows]


def _ranked(now: datetime) -> Subquery:
    """Every logged move up to a moment, each contact's last one as number 1. Reads the log once."""
    last = func.row_number().over(partition_by=T.contact_id, order_by=(T.at.desc(), T.id.desc())).label("last")
    came = func.lag(T.at).over(partition_by=T.contact_id, order_by=(T.at, T.id)).label("came")
    return select(T.contact_id, T.stage_from, T.stage_to, T.at, last, came).where(T.at <= now).subquery()


def here(session: Session, now: datetime) -> Counts:
    """How many contacts stand in each stage at `now`. Whose every move came later stands where the first began."""
    moved = _ranked(now)
    later = func.row_number().over(partition_by=T.contact_id, order_by=(T.at, T.id)).label("first")
    to_come = select(T.contact_id, T.stage_from, later).where(T.at > now).subquery()
    stage = func.coalesce(moved.c.stage_to, to_come.c.stage_from, C.stage).label("stage")
    rows = session.execute(
        select(C.market, stage, func.count())
        .outerjoin(moved, and_(moved.c.contact_id == C.id, moved.c.last == 1))
        .outerjoin(to_come, and_(to_come.c.contact_id == C.id, to_come.c.first == 1))
        .where(C.created_at <= now)
        .group_by(C.market, stage)
    )
    return {(market, at): n for market, at, n in rows}


def furthest(session: Session, now: datetime, paths: Mapping[str, Sequence[str]]) -> Counts:
    """How many contacts came how far along their market's path. Reads contacts and the log once."""
    found: Counts = {}
    for market, path in paths.items():
        rank = {stage: place for place, stage in enumerate(path)}
        each = union_all(
            select(C.id.label("who"), C.stage.label("stage")).where(C.market == market, C.created_at <= now,
                                                                    ~select(T.id).where(T.contact_id == C.id).exists()),
            select(T.contact_id, T.stage_to).where(T.at <= now),
            select(T.contact_id, T.stage_from),
        ).subquery()  # fmt: skip
        place = case(rank, value=each.c.stage, else_=-1)
        most = select(each.c.who, func.max(place).label("place")).group_by(each.c.who).subquery()
        rows = session.execute(
            select(most.c.place, func.count())
            .join(Contact, and_(col(Contact.id) == most.c.who, C.market == market, C.created_at <= now))
            .where(most.c.place >= 0)
            .group_by(most.c.place)
        )
        found |= {(market, path[at]): n for at, n in rows}
    return found


def visits(session: Session, now: datetime, stages: Sequence[str]) -> tuple[Counts, Counts]:
    """How many contacts were ever in these stages, and how many have left them."""
    came, gone = (
        select(C.market, stage, func.count(T.contact_id.distinct()))
        .join(Contact, C.id == T.contact_id)
        .where(stage.in_(stages), T.at <= now)
        .group_by(C.market, stage)
        for stage in (T.stage_to, T.stage_from)
    )
    return ({(market, stage): n for market, stage, n in session.execute(came)},
            {(market, stage): n for market, stage, n in session.execute(gone)})  # fmt: skip


def stays(session: Session, now: datetime) -> dict[tuple[str, str], dict[int, int]]:
    """How long contacts stayed in each stage before they left it: (market, stage) → whole hours → stays.

    The first stay begins when we first knew of them.
    """
    moved = _ranked(now)
    began = func.coalesce(moved.c.came, C.created_at, type_=Moment)
    hours = cast(days_between(began, moved.c.at) * literal(24), Integer).label("hours")
    rows = session.execute(
        select(C.market, moved.c.stage_from, hours, func.count())
        .join(Contact, C.id == moved.c.contact_id)
        .where(moved.c.stage_from.is_not(None))
        .group_by(C.market, moved.c.stage_from, hours)
    )
    found: dict[tuple[str, str], dict[int, int]] = {}
    for market, stage, length, n in rows:
        found.setdefault((market, stage), {})[max(length, 0)] = n
    return found
