"""Adds to `attempt` its sender's domain, what the provider's log said, and what a scheduled send is cancelled by."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from models.types import Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NEW: dict[str, Any] = {
    "domain": sa.String(),
    "asked_at": Moment(),
    "evidence": sa.String(),
    "batch_id": sa.String(),
    "send_at": Moment(),
    "cancelled_at": Moment(),
}
HELD = sa.text("batch_id IS NOT NULL")


def upgrade() -> None:
    for name, kind in NEW.items():
        op.add_column("attempt", sa.Column(name, kind, nullable=True))
    op.create_index("attempt_batch", "attempt", ["send_at"], sqlite_where=HELD, postgresql_where=HELD)


def downgrade() -> None:
    op.drop_index("attempt_batch", "attempt")
    for name in reversed(NEW):
        op.drop_column("attempt", name)
