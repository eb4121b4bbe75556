"""Makes the table `lesson` (learned parameters); adds `account_score.probability` and `missing_why`."""

import sqlalchemy as sa
from alembic import op

from models.types import Id, Json, Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lesson",
        sa.Column("id", Id, nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("lesson_newest", "lesson", ["about", "made_at"])
    op.add_column("account_score", sa.Column("probability", sa.Float(), nullable=True))
    op.add_column("account_score", sa.Column("missing_why", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("account_score", "missing_why")
    op.drop_column("account_score", "probability")
    op.drop_index("lesson_newest", "lesson")
    op.drop_table("lesson")
