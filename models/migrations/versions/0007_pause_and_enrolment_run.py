"""Makes the table `pause` (account pauses); adds `enrolment.run` and the index of active enrolments."""

import sqlalchemy as sa
from alembic import op

from models.types import Id, Moment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UNDER_WAY = sa.text("state = 'active'")


def upgrade() -> None:
    op.create_table(
        "pause",
        sa.Column("id", Id, nullable=False),
        sa.Column("account_id", Id, sa.ForeignKey("account.id"), nullable=True),
        sa.Column("address", sa.String(), sa.ForeignKey("address.address"), nullable=True),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("address", "at"),
    )
    op.create_index("ix_pause_account_id", "pause", ["account_id"])
    op.create_index("ix_pause_until", "pause", ["until"])
    op.add_column("enrolment", sa.Column("run", sa.Integer(), server_default="1", nullable=False))
    op.create_index(
        "enrolment_active", "enrolment", ["campaign", "version_id", "account_id", "id"],
        sqlite_where=UNDER_WAY, postgresql_where=UNDER_WAY,
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("enrolment_active", "enrolment")
    op.drop_column("enrolment", "run")
    op.drop_table("pause")
