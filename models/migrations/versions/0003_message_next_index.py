"""Adds the index `message_next`: the due messages of one letter are found in order, however long the outbox is."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "message_next",
        "message",
        ["campaign", "version_id", "letter", "tries", "not_before", "id"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )


def downgrade() -> None:
    op.drop_index("message_next", "message")
