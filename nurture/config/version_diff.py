"""Changes: what publishing a campaign's folder would change against the version that runs, in a marketer's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, time, timedelta

from nurture.config.campaign_file import find_campaign, read_files
from nurture.config.toml_file import Problem
from nurture.rules.planning.campaign import AccountPolicy, After, Campaign, Hours, Offer, Reentry, Sender, Span, Step

QUIET = ("slug", "steps")  # not told as a setting


@dataclass(frozen=True, slots=True)
class Changes:
    """`status`: new, changed, unchanged or broken. `steps`, `letters`, `terms` are sentences, `warnings` too."""

    status: str
    steps: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def changes(old: Mapping[str, str] | None, new: Mapping[str, str], slug: str) -> tuple[Changes, Campaign | None]:
    """What the files `new` say against the files of the version `old`, and the campaign they make."""
    after, problems = find_campaign(new, slug)
    if after is None:
        return Changes("broken", problems=problems), None
    if old is None:
        steps = [f"step {n + 1}: {_step(step)}" for n, step in enumerate(after.steps)]
        return Changes("new", steps=steps), after
    if dict(old) == dict(new):
        return Changes("unchanged"), after
    before = read_files(old, slug)
    steps, warnings = _steps(before, after)
    letters, renamed = _letters(old, new, slug, before, after)
    return Changes("changed", steps, letters, _terms(before, after), warnings + renamed), after


def _steps(before: Campaign, after: Campaign) -> tuple[list[str], list[str]]:
    """Steps by the names of their letters: new, gone, moved, altered; and what surprises those who come back."""
    was = {step.letter: (number, step) for number, step in enumerate(before.steps)}
    now = {step.letter: (number, step) for number, step in enumerate(after.steps)}
    told, warnings = [], []
    kept = [step.letter for step in after.steps if step.letter in was]
    order = [step.letter for step in before.steps if step.letter in now]
    for letter, (number, step) in now.items():
        if letter not in was:
            told.append(f"step {number + 1} is new: {_step(step)}")
            if any(place > number for place, _ in was.values()) and number < len(after.steps) - 1:
                warnings.append(
                    f"{letter} comes before letters that some have had: only who enters from now on gets it"
                )
            continue
        if kept.index(letter) != order.index(letter):
            told.append(f"{letter} moves from step {was[letter][0] + 1} to {number + 1}; nobody gets it again")
        told += [
            f"{letter}: {name} was {_value(getattr(was[letter][1], name))}, becomes {_value(getattr(step, name))}"
            for name in ("roles", "wait", "when", "after", "patience", "if_late")
            if getattr(was[letter][1], name) != getattr(step, name)
        ]
    told += [
        f"{letter} goes; whoever began before still gets it as step {was[letter][0] + 1}"
        for letter in was
        if letter not in now
    ]
    return told, warnings


def _letters(
    old: Mapping[str, str], new: Mapping[str, str], slug: str, before: Campaign, after: Campaign
) -> tuple[list[str], list[str]]:
    """Letters whose words differ, and letters that are an old one under a new name."""
    was, now = _texts(old, slug), _texts(new, slug)
    told = []
    for letter in sorted(was.keys() & now.keys()):
        files = sorted(f for f in was[letter].keys() | now[letter].keys() if was[letter].get(f) != now[letter].get(f))
        if files:
            told.append(f"{letter}: other words in {', '.join(files)}")
    shared = sorted(f for f in old.keys() | new.keys() if not f.startswith(f"{slug}/") and old.get(f) != new.get(f))
    if shared:
        told.append(f"for all letters: {', '.join(shared)}")
    gone = {step.letter for step in before.steps} - {step.letter for step in after.steps}
    come = {step.letter for step in after.steps} - {step.letter for step in before.steps}
    again = "who comes back would get it again" if after.reentry.after or after.reentry.on_version else "a new letter"
    warnings = [
        f"{name} says what {one} said: a renamed letter is {again}"
        for one in sorted(gone)
        for name in sorted(come)
        if one in was and was[one] == now.get(name)
    ]
    return told, warnings


def _texts(files: Mapping[str, str], slug: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path, text in files.items():
        parts = path.split("/")
        if parts[0] == slug and len(parts) == 3:
            found.setdefault(parts[1], {})[parts[2]] = text
    return found


def _terms(before: Campaign, after: Campaign) -> list[str]:
    return [
        f"{one.name} was {_value(getattr(before, one.name))}, becomes {_value(getattr(after, one.name))}"
        for one in fields(Campaign)
        if one.name not in QUIET and getattr(before, one.name) != getattr(after, one.name)
    ]


def _step(step: Step) -> str:
    whom = f" to {', '.join(step.roles)}" if step.roles else " to everybody"
    wait = f" after {_value(step.wait)}" if step.wait.business_days or step.wait.time else ""
    when = f" when {step.when}" if step.when else ""
    return f"{step.letter}{whom}{wait}{when}"


Said = (
    None | str | int | float | timedelta | date | time | Span | After | Reentry | Hours | AccountPolicy | Offer | Sender
    | tuple[str, ...] | tuple[int, ...] | dict[str, str]
)  # fmt: skip


def _value(value: Said) -> str:
    """A term as one would say it."""
    if value is None or value == ():
        return "nothing"
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value)
    if isinstance(value, Span):
        parts = [f"{value.business_days} business days"] if value.business_days else []
        parts += [_value(value.time)] if value.time else []
        return " and ".join(parts) or "at once"
    if isinstance(value, timedelta):
        days, hours = divmod(int(value.total_seconds()) // 3600, 24)
        return " ".join([*([f"{days} days"] if days else []), *([f"{hours} hours"] if hours else [])]) or "0 days"
    if isinstance(value, After | Reentry | Hours | AccountPolicy | Offer | Sender):
        told = (f"{f.name} {_value(getattr(value, f.name))}" for f in fields(value) if getattr(value, f.name))
        return "; ".join(told) or "never"
    return " ".join(str(value).split())
