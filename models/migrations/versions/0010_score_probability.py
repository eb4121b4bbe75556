"""Adds `score.probability`: what a learned model says; none where the rules made the score."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("score", sa.Column("probability", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("score", "probability")
