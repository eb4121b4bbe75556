"""What the demo shows while it plays: short lines, one per day, that read the same in a file as on a screen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic

from rich.console import Console

from nurture.cli.console import escaped
from nurture.cli.demo_days import DayFigures
from nurture.files import reader
from nurture.files.rejects import OURS
from tasks.intake import Imported

COLUMNS: tuple[tuple[str, int, Callable[[DayFigures], int]], ...] = (
    ("entered", 8, lambda d: d.entered),
    ("letters", 8, lambda d: d.letters),
    ("opened", 7, lambda d: d.opened),
    ("clicked", 8, lambda d: d.clicked),
    ("replied", 8, lambda d: d.replied),
    ("bounced", 8, lambda d: d.bounced),
    ("unsubs", 7, lambda d: d.left),
    ("orders", 7, lambda d: d.orders),
    ("warm", 5, lambda d: d.warm),
)
BAR = 8
BLOCKS = " ▏▎▍▌▋▊▉█"
ANSWERS = (("accepted", "yes"), ("recycled", "later"), ("rejected", "no"))


class Screen:
    """Lines to a terminal or a file. Nothing printed is ever taken back, except the live line of a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def line(self, text: str = "") -> None:
        """One line, with rich's markup."""
        self.console.print(text)

    def done(self, name: str, what: str, seconds: float | None = None) -> None:
        """A step that is done, and how long it took if that was a second or more."""
        took = f"  [dim]{seconds:.0f} s[/]" if seconds is not None and seconds >= 1 else ""
        self.line(f"[green]✓[/] {name:<11}{what}{took}")

    def more(self, text: str) -> None:
        """A detail below the line of a step."""
        self.line(f"  {'':<11}[dim]{text}[/]")

    @contextmanager
    def busy(self, text: str) -> Iterator[Callable[[str], None]]:
        """A line that shows while something takes its time; in a file there is none."""
        if not self.console.is_terminal:
            yield lambda _: None
            return
        with self.console.status(f"[dim]{text}[/]", spinner="dots") as status:
            yield lambda now: status.update(f"[dim]{escaped(now)}[/]")

    def heading(self) -> None:
        """The names above the lines of the days."""
        names = "".join(f"{name:>{width}}" for name, width, _ in COLUMNS)
        self.line(f"[bold]{'':<10}{'':<{BAR + 1}}{names}  leads to sales, their answers[/]")

    def day(self, day: DayFigures, most: int) -> None:
        """One day's line. `most`: the letters of the fullest day so far, a whole bar."""
        figures = "".join(f"{_figure(value(day)):>{width}}" for _, width, value in COLUMNS)
        answers = [f"{getattr(day, name)} {word}" for name, word in ANSWERS if getattr(day, name)]
        sales = f"{day.offered} offered" if day.offered else ""
        said = ", ".join(part for part in (sales, *answers) if part) or "·"
        self.line(f"{day.at:%a} {day.at.day:>2} {day.at:%b} [cyan]{bar(day.letters, most):<{BAR}}[/]{figures}  {said}")


def _figure(value: int) -> str:
    return f"{value:,}" if value else "·"


def bar(n: int, most: int, width: int = BAR) -> str:
    """A bar in eighths of a character; anything more than nought shows at least one eighth."""
    eighths = round(n / most * width * 8) if most else 0
    eighths = max(eighths, 1) if n else 0
    return "█" * (eighths // 8) + BLOCKS[eighths % 8].strip()


def watching(say: Callable[[str], None], number: int, days: int) -> Callable[[datetime], None]:
    """What the live line says at every step of a day."""
    return lambda now: say(f"day {number} of {days}, {now:%a %-d %b %H:%M} UTC")


def imported(screen: Screen, done: list[tuple[str, Imported]], seconds: float) -> None:
    """What came out of the files: rows taken and rows rejected, and why for one of them."""
    parts = [f"{one.good:,} {kind}" + (f" ({one.rejected} rejected)" if one.rejected else "") for kind, one in done]
    screen.done("Files", ", ".join(parts[:3]), seconds)
    screen.line(f"  {'':<11}{', '.join(parts[3:])}")
    file = next((Path(one.rejects_file) for _, one in done if one.rejects_file), None)
    if file:
        line, column, value, reason = first_reject(file)
        screen.more(f"such as line {line}, {escaped(column)} “{escaped(value)}”: {escaped(reason)}")
        screen.more(f"all of them, with line and reason: {escaped(str(relative_path(file.parent)))}")


def first_reject(file: Path) -> tuple[str, str, str, str]:
    """Line, column, value and reason of the first rejected row."""
    opened = reader.open_file(file)
    row = dict(zip(opened.header, next(iter(opened.rows())).cells, strict=False))
    return row[f"{OURS}line"], row[f"{OURS}column"], row[f"{OURS}value"], row[f"{OURS}reason"]


def relative_path(path: Path) -> Path:
    """A path as one would type it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def stopwatch() -> Callable[[], float]:
    """A function that returns the seconds since now."""
    began = monotonic()
    return lambda: monotonic() - began
