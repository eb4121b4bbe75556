"""Makes the table `epoch`: how far sending has come, compared by the restore guard with a mark outside the database."""

import sqlalchemy as sa
from alembic import op

from models.types import Moment

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "epoch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mark", sa.Integer(), nullable=False),
        sa.Column("moved_at", Moment(), nullable=False),
        sa.Column("forgiven", sa.String(), nullable=False),
        sa.Column("confirmed_at", Moment(), nullable=True),
        sa.Column("confirmed_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("epoch")
