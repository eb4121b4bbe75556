"""Alembic's entry: runs the migrations on the connection that nurture.runtime.database hands over."""

from typing import Any, Literal

from alembic import context
from sqlmodel import AutoString

from models import metadata
from models.types import Moment


def spelled(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """How a migration writes our own column types."""
    if kind == "type" and isinstance(item, Moment):
        return "Moment()"
    if kind == "type" and isinstance(item, AutoString):
        return "sa.String()"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by making it anew
    compare_type=True,
    render_item=spelled,
)
with context.begin_transaction():
    context.run_migrations()
