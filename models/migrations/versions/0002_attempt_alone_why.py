"""Adds `attempt.alone_why`: why a message had a request of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempt", sa.Column("alone_why", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("attempt", "alone_why")
