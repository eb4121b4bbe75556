"""What the import command says: every row and every cell that is not imported is counted, and listed in a file."""

from pathlib import Path

from nurture.cli.data import _said_of
from tasks.intake import Imported


def test_thirteen_lost_dates_are_said() -> None:
    done = Imported("contacts", 15, 15, 0, 0, "rejects.csv", created=15, incomplete=13, unread={"Created": 13})
    assert list(_said_of(Path("dates.csv"), done)) == [
        "dates.csv: 15 contacts: 15 good (15 new, 0 changed, 0 unchanged), 0 rejected",
        "  13 cells of Created could not be read: those rows are imported without them",
        "  why, line by line: rejects.csv",
    ]


def test_every_row_is_accounted_for() -> None:
    done = Imported("contacts", 10, 5, 2, 1, "rejects.csv", 2, 1, 1, 0, 3, 3, "left-out.csv", 4, 1)
    assert list(_said_of(Path("a.csv"), done))[1:] == [
        "  3 addresses say no in it and are never mailed from now on",
        "  1 rows say yes of people who have said no: the no stays",
        "  why, line by line: rejects.csv",
        "  1 rows repeat an earlier row",
        "  3 rows are left out by the mapping's [rows]",
        "  which ones: left-out.csv",
        "  4 lines below the table are notes or totals",
    ]
