"""Finds a person's letters by the address alone: index `message_address` instead of `message_address_accepted`."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("message_address", "message", ["address"])
    op.drop_index("message_address_accepted", "message")


def downgrade() -> None:
    op.create_index("message_address_accepted", "message", ["address", "accepted_at"])
    op.drop_index("message_address", "message")
