"""Send pauses, account pauses, learned parameters, the restore guard, channels and content assets are called so"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = {  # before → now
    "brake": "send_pause",
    "epoch": "restore_guard",
    "lesson": "learned_parameter",
    "pause": "account_pause",
}
COLUMNS = [  # table as it is called now, column before, now
    ("restore_guard", "forgiven", "ignore_before"),
    ("learned_parameter", "about", "subject"),
    ("attempt", "transport", "channel"),
    ("message", "pieces", "content_assets"),
    ("event", "epoch", "database_name"),
]
SCOPES = {"all": "everything", "restored": "restore_guard"}  # of a send pause, as stored before → now
INDEXES = [  # name before, now, table as it is called now, columns as they are called now
    ("lesson_newest", "learned_parameter_newest", "learned_parameter", ["subject", "made_at"]),
    ("ix_pause_account_id", "ix_account_pause_account_id", "account_pause", ["account_id"]),
    ("ix_pause_until", "ix_account_pause_until", "account_pause", ["until"]),
]
POSTGRESQL = [  # what a rename leaves behind there: kind, table as it is called now, name before, now
    ("CONSTRAINT", "send_pause", "brake_pkey", "send_pause_pkey"),
    ("CONSTRAINT", "restore_guard", "epoch_pkey", "restore_guard_pkey"),
    ("CONSTRAINT", "learned_parameter", "lesson_pkey", "learned_parameter_pkey"),
    ("CONSTRAINT", "account_pause", "pause_pkey", "account_pause_pkey"),
    ("CONSTRAINT", "account_pause", "pause_address_at_key", "account_pause_address_at_key"),
    ("CONSTRAINT", "account_pause", "pause_account_id_fkey", "account_pause_account_id_fkey"),
    ("CONSTRAINT", "account_pause", "pause_address_fkey", "account_pause_address_fkey"),
    ("SEQUENCE", "restore_guard", "epoch_id_seq", "restore_guard_id_seq"),
    ("SEQUENCE", "learned_parameter", "lesson_id_seq", "learned_parameter_id_seq"),
    ("SEQUENCE", "account_pause", "pause_id_seq", "account_pause_id_seq"),
]


def upgrade() -> None:
    """Rename; no row is lost. The scopes of send pauses get their new words."""
    for before, now in TABLES.items():
        op.rename_table(before, now)
    for table, before, now in COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {before} TO {now}")
    for before, now, table, columns in INDEXES:
        op.drop_index(before, table)
        op.create_index(now, table, columns)
    if op.get_bind().dialect.name == "postgresql":
        for kind, table, before, now in POSTGRESQL:
            _rename(kind, table, before, now)
    for before, now in SCOPES.items():
        op.execute(f"UPDATE send_pause SET scope = '{now}' WHERE scope = '{before}'")  # noqa: S608  our own words


def downgrade() -> None:
    """The same, back."""
    for before, now in SCOPES.items():
        op.execute(f"UPDATE send_pause SET scope = '{before}' WHERE scope = '{now}'")  # noqa: S608  our own words
    if op.get_bind().dialect.name == "postgresql":
        for kind, table, before, now in POSTGRESQL:
            _rename(kind, table, now, before)
    for _, now, table, _ in INDEXES:
        op.drop_index(now, table)
    for table, before, now in COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {now} TO {before}")
    for before, now in TABLES.items():
        op.rename_table(now, before)
    for before, _, table, columns in INDEXES:
        old = {now: was for was, now in TABLES.items()}[table]
        op.create_index(before, old, ["about" if column == "subject" else column for column in columns])


def _rename(kind: str, table: str, before: str, now: str) -> None:
    if kind == "CONSTRAINT":
        op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {before} TO {now}")
    else:
        op.execute(f"ALTER SEQUENCE IF EXISTS {before} RENAME TO {now}")
