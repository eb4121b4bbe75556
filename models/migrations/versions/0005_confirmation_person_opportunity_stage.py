"""Makes `confirmation`; adds whose an address is, what was confirmed, stages of deals, volumes, content of letters."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from models.types import Id, MaybeJson, Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NEW: tuple[tuple[str, sa.Column[Any]], ...] = (
    ("segment", sa.Column("confirmed", MaybeJson, nullable=True)),
    ("address", sa.Column("person", sa.String(), nullable=True)),
    ("opportunity", sa.Column("stage", sa.String(), nullable=True)),
    ("opportunity", sa.Column("solution", sa.String(), nullable=True)),
    ("opportunity", sa.Column("tender_due_at", Moment(), nullable=True)),
    ("opportunity", sa.Column("decision_at", Moment(), nullable=True)),
    ("opportunity", sa.Column("criteria", sa.String(), nullable=True)),
    ("account", sa.Column("volume", sa.Integer(), nullable=True)),
    ("account", sa.Column("group_volume", sa.Integer(), nullable=True)),
    ("account", sa.Column("growth", sa.Float(), nullable=True)),
    ("message", sa.Column("pieces", MaybeJson, nullable=True)),
)


def upgrade() -> None:
    op.create_table(
        "confirmation",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", Id, sa.ForeignKey("contact.id"), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("was", sa.String(), nullable=True),
        sa.Column("was_confidence", sa.Float(), nullable=True),
        sa.Column("said", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_confirmation_contact_id", "confirmation", ["contact_id"])
    for table, column in NEW:
        op.add_column(table, column)
    op.create_index("ix_address_person", "address", ["person"])
    segment = sa.table("segment", sa.column("confirmed", MaybeJson), sa.column("confirmed_by", sa.String()))
    said = ["department", "persona", "role", "seniority"]  # a segment once confirmed was confirmed whole
    op.execute(segment.update().where(segment.c.confirmed_by.is_not(None)).values(confirmed=said))


def downgrade() -> None:
    op.drop_index("ix_address_person", "address")
    for table, column in reversed(NEW):
        op.drop_column(table, column.name)
    op.drop_index("ix_confirmation_contact_id", "confirmation")
    op.drop_table("confirmation")
