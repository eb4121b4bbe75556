"""Adds to `event` whose list dropped a letter, the provider's name of the request, and which database made it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("provider_id", "stop", "epoch"):
        op.add_column("event", sa.Column(name, sa.String(), nullable=True))


def downgrade() -> None:
    for name in ("epoch", "stop", "provider_id"):
        op.drop_column("event", name)
