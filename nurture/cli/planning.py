"""nurture plan, funnel, timeline: what would change and for whom, where everybody stands, one account's timeline."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from nurture.cli.console import AsJson, At, escaped, here, out, print_json, print_table

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

    from sqlalchemy import Engine

    from models.enrolment import EnrolledCount
    from models.queries.campaign_entry import Newcomer
    from nurture.config.toml_file import Problem
    from nurture.explain.timeline import Timeline
    from tasks.planning.forecast import ForeseenLeaver, ForeseenLetter, PlanForecast

MOST_NAMED = 20
MOST_DAYS = 5


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(plan)
    app.command()(funnel)
    app.command()(timeline)


def plan(
    campaign: Annotated[
        str | None, typer.Argument(help="A campaign's folder below templates/. [default: all]", show_default=False)
    ] = None,
    json: AsJson = False,
    at: At = None,
) -> None:
    """What would `apply` and the next run change, and for whom? Writes nothing.

    Steps and letters that are new, gone or altered, who would enter or leave, which letter each would get on which day
    and why others get none, and what happens to those inside: they stay with the version they began with.

    Exit code 1 when a campaign cannot be published.
    """
    from nurture.config import campaigns

    settings, engine, now = here(at)
    slugs = [campaign] if campaign else campaigns.slugs(settings.templates)
    found = [foresee_campaign(engine, now, settings.templates, slug) for slug in slugs]
    if json:
        print_json([{name: value for name, value in each._asdict().items() if value is not None or name == "version"}
                    for each in found])  # fmt: skip
    else:
        for each in found:
            _show(each)
    raise typer.Exit(1 if any(each.status == "broken" for each in found) else 0)


class SkipForecast(NamedTuple):
    """How many would never get a letter, and why."""

    letter: str
    reason: str
    n: int


class WouldLeave(NamedTuple):
    """How many would leave, by reason, and the first of them."""

    n: int
    reasons: dict[str, int]
    first: "list[ForeseenLeaver]"


class LetterDay(NamedTuple):
    """How many letters may leave on a day, where their readers live."""

    letter: str
    day: "date"
    n: int


class NextRun(NamedTuple):
    """What the next planning run would do with those inside, or with those who would enter."""

    sends: dict[str, int]
    days: list[LetterDay]
    letters: "list[ForeseenLetter]"  # the first of them: who gets which, not before when
    skips: list[SkipForecast]
    waits: dict[str, int]
    leave: WouldLeave


class WouldEnter(NamedTuple):
    """How many would enter a campaign, the first of them, and what their first run would do."""

    n: int
    first: "list[Newcomer]"
    run: NextRun


class CampaignForecast(NamedTuple):
    """What `apply` and the next run would change: a document of `nurture plan --json`."""

    campaign: str
    status: str
    version: int | None
    steps: list[str]
    letters: list[str]
    terms: list[str]
    warnings: list[str]
    problems: "list[Problem]"
    inside: "list[EnrolledCount]"
    enter: WouldEnter | None = None
    next_run: NextRun | None = None


def foresee_campaign(engine: "Engine", now: "datetime", templates: "Path", slug: str) -> CampaignForecast:
    """Compare a campaign's files with its published version, and ask what the next run would do."""
    from models import campaign as kept
    from models import enrolment as enrolments
    from nurture.config import campaigns
    from nurture.config.version_diff import changes
    from nurture.runtime import database
    from tasks.planning.forecast import CampaignFiles, foresee, foresee_entry

    enter, run = None, None
    with database.reading(engine) as session:
        runs = next((row for row in kept.published(session) if row.slug == slug), None)
        old, files = kept.version(session, runs.version_id).files if runs else None, campaigns.files(templates, slug)
        what, terms = changes(old, files, slug)
        inside = enrolments.counts(session, slug)
        if terms:
            run = foresee(session, now, slug, MOST_NAMED) if runs else None
            same = runs.version_id if runs and what.status == "unchanged" else None
            found = foresee_entry(session, now, CampaignFiles(terms, files, same), MOST_NAMED, run)
            enter = WouldEnter(found.n, found.first, _next_run(found.run))
    return CampaignForecast(
        slug, what.status, runs.number if runs else None, what.steps, what.letters, what.terms, what.warnings,
        what.problems, inside, enter, _next_run(run) if run else None,
    )  # fmt: skip


def _next_run(found: "PlanForecast") -> NextRun:
    """The forecast as the command's document has it."""
    skips = [SkipForecast(letter, why, n) for (letter, why), n in found.skips.items()]
    days = [LetterDay(of.letter, of.day, n) for of, n in sorted(found.days.items())]
    leave = WouldLeave(found.ends.total(), dict(found.ends), found.leaving)
    return NextRun(dict(found.sends), days, found.letters, skips, dict(found.waits), leave)


def _show(forecast: CampaignForecast) -> None:
    """The forecast, a line each."""
    version = f"version {forecast.version} runs" if forecast.version else "not published yet"
    out.print(f"[bold]{forecast.campaign}[/]: {forecast.status} ({version})")
    for problem in forecast.problems:
        out.print(f"  [red]✗[/] {escaped(problem.file)}:{problem.line or 1}: {escaped(problem.what)}")
    for sentence in (*forecast.steps, *forecast.letters, *forecast.terms):
        out.print(f"  {escaped(sentence)}")
    for sentence in forecast.warnings:
        out.print(f"  [yellow]![/] {escaped(sentence)}")
    inside = [f"{row.n:,} in version {row.version}" for row in forecast.inside if row.state == "active"]
    if inside:
        stay = "; they stay with it, steps and words" if forecast.status == "changed" else ""
        out.print(f"  Inside: {', '.join(inside)}{stay}")
    if forecast.next_run:
        _show_run("The next run", forecast.next_run)
    if forecast.enter is not None:
        _show_newcomers(forecast.enter)


def _show_run(head: str, run: NextRun) -> None:
    """Which letters leave when, and why the others do not."""
    from nurture.rules.reporting.ledger import describe_reasons

    sends = ", ".join(f"{n:,} × {letter}" for letter, n in run.sends.items()) or "nobody gets a letter"
    out.print(f"  {head}: {sends}")
    for letter in run.sends:
        days = [one for one in run.days if one.letter == letter]
        told = ", ".join(f"{one.n:,} on {one.day:%a %-d %B}" for one in days[:MOST_DAYS])
        out.print(f"    {letter}: {told}{', …' if len(days) > MOST_DAYS else ''}", markup=False)
    if run.waits:
        out.print(f"    wait: {describe_reasons(run.waits)}", markup=False)
    for skip in run.skips:
        out.print(f"    never get {skip.letter}: {describe_reasons({skip.reason: skip.n})}", markup=False)
    if run.leave.n:
        out.print(f"    leave: {describe_reasons(run.leave.reasons)}", markup=False)
        for one in run.leave.first[:3]:
            out.print(f"      {one.address}: {one.why}", markup=False)


def _show_newcomers(enter: WouldEnter) -> None:
    from nurture.rules.intake.names import full_name

    names = [full_name(one.first_name, one.last_name) or one.address for one in enter.first[:3]]
    more = ["…"] if enter.n > len(names) else []
    out.print(f"  {enter.n:,} would enter{': ' if names else ''}{', '.join([*names, *more])}", markup=False)
    if enter.n:
        _show_run("Their first run", enter.run)


def funnel(json: AsJson = False, at: At = None) -> None:
    """How many leads stand in each stage, how many go on, and the median days they stay."""
    from tasks.reporting import funnel as ask

    _, engine, now = here(at)
    rungs = ask(engine, now)
    if json:
        print_json([rung.as_json() for rung in rungs])
        return
    print_table(
        ("market", "phase", "stage", "#here", "#reached", "#went on", "#median days"),
        [
            (
                rung.market, rung.phase, rung.stage, rung.here, rung.reached,
                "" if rung.conversion is None else f"{rung.conversion:.1%}",
                "" if rung.median_days is None else f"{rung.median_days:,.1f}",
            )
            for rung in rungs
        ],
    )  # fmt: skip


def timeline(
    account: Annotated[str, typer.Argument(help="An account's key, domain or name.")],
    days: Annotated[int, typer.Option(help="How many days back.", min=1)] = 90,
    json: AsJson = False,
    at: At = None,
) -> None:
    """Everything that happened with one account, day by day: letters, clicks, roles, stages, handoffs, pauses."""
    from datetime import timedelta
    from zoneinfo import ZoneInfo

    from nurture.explain.timeline import timeline as ask
    from nurture.runtime import database

    settings, engine, now = here(at)
    with database.reading(engine) as session:
        told = ask(session, account, now - timedelta(days=days), now, ZoneInfo(settings.sales_zone))
    if json:
        print_json(told.as_json())
        return
    _heading(told)
    before = None
    for day, entries in told.days:
        if before and (gap := (day - before).days - 1) > 2:
            out.print(f"[dim]{'':12}{gap} quiet days[/]")
        for number, entry in enumerate(entries):
            date = f"{day:%a %-d %b}" if number == 0 else ""
            _hanging(date, entry.sentence)
        before = day
    if not told.days:
        out.print(f"Nothing happened in {days} days.")
    for number, sentence in enumerate(told.ahead):
        _hanging("Next" if number == 0 else "", sentence)


def _hanging(head: str, sentence: str) -> None:
    """A sentence that stays beside its day on a narrow terminal."""
    from textwrap import wrap

    first, *rest = wrap(sentence, max(out.width - 12, 40), break_on_hyphens=False) or [""]
    out.print(f"[bold]{head:<12}[/]{escaped(first)}")
    for line in rest:
        out.print(f"{'':12}{escaped(line)}")


def _heading(told: "Timeline") -> None:
    account = told.account
    facts = [
        account.industry,
        f"{account.employees:,} people" if account.employees else None,
        account.country,
    ]
    owner = account.owner_name or account.owner_email
    out.print(f"[bold]{escaped(account.name)}[/]  {escaped(', '.join(filter(None, facts)))}")
    score = f"score {account.score:.0f}, " if account.score is not None else ""
    known = f"{account.completeness:.0%} of the buying group known" if account.completeness is not None else ""
    missing = f", no {account.missing_role}" if account.missing_role else ""
    out.print(escaped(f"{score}{known}{missing}{f'; owner {owner}' if owner else ''}"))
    for person in told.people:
        about = ", ".join(filter(None, (person.title, person.role, person.grade)))
        out.print(escaped(f"  {told.names[person.id]}: {about}"))
    out.print()
