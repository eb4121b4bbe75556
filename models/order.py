"""Order: something a consumer (or an account's contact) bought."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.moment import Id, Moment


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
