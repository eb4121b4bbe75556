"""Order: something a consumer (or an account's contact) bought."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Index, case, func, select
from sqlmodel import Field, Session, SQLModel, col

from models.types import Id, Moment


class Order(SQLModel, table=True):
    """Money is in minor units (cents) of `currency`, so that sums are exact."""

    __tablename__ = "orders"
    __table_args__ = (Index("orders_contact_at", "contact_id", "at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Id)
    key: str = Field(unique=True)
    contact_id: int = Field(foreign_key="contact.id", sa_type=Id)
    at: datetime = Field(sa_type=Moment)
    amount_cents: int = Field(sa_type=Id)
    currency: str = "EUR"
    product: str | None = None
    code: str | None = None  # the promotion code used


class Purchases(NamedTuple):
    """Recency, frequency, money: what one contact has bought up to a moment."""

    contact_id: int
    first_at: datetime
    last_at: datetime
    orders: int
    orders_in_year: int  # in the last 365 days
    cents_in_year: int  # spent in the last 365 days, whatever the currencies


def purchases(session: Session, first: int, last: int, now: datetime) -> dict[int, Purchases]:
    """What the contacts `first` to `last` bought; nobody without an order. One walk over `orders_contact_at`."""
    in_year = col(Order.at) > now - timedelta(days=365)
    rows = session.execute(
        select(
            col(Order.contact_id),
            func.min(col(Order.at), type_=Moment),
            func.max(col(Order.at), type_=Moment),
            func.count(),
            func.sum(case((in_year, 1), else_=0)),
            func.sum(case((in_year, col(Order.amount_cents)), else_=0)),
        )
        .where(col(Order.contact_id).between(first, last), col(Order.at) <= now)
        .group_by(col(Order.contact_id))
    )
    return {row[0]: Purchases(row[0], row[1], row[2], row[3], int(row[4]), int(row[5])) for row in rows}
