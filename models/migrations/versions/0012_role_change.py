"""Makes the table `role_change`: when somebody was first seen in another buying role."""

import sqlalchemy as sa
from alembic import op

from models.types import Id, Moment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "role_change",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", Id, sa.ForeignKey("contact.id"), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("was", sa.String(), nullable=True),
        sa.Column("becomes", sa.String(), nullable=True),
        sa.Column("why", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_role_change_contact_id", "role_change", ["contact_id"])


def downgrade() -> None:
    op.drop_table("role_change")
