"""nurture check, preview, apply, send, pause: campaigns from folder to outbox."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import AsJson, At, err, escaped, here, out, print_json, print_table

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine, RowMapping

    from nurture.desk import Desk
    from nurture.settings import Settings

Slug = Annotated[
    str | None, typer.Argument(help="A campaign's folder below templates/. [default: all]", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    for command in (check, preview, apply, send, pause, resume):
        app.command()(command)


def check(campaign: Slug = None, json: AsJson = False) -> None:
    """Read every campaign as its recipients would: files, placeholders, links, sizes. Needs no database.

    Exit code 1 when there is a problem to mend.
    """
    from dataclasses import asdict

    from nurture import campaign_check, sales_file, scoring_rules, segment_rules, solutions
    from nurture.settings import settings

    ours = settings()
    problems = campaign_check.check(ours.templates, campaign, ours.clock().date())
    if campaign is None:
        problems += scoring_rules.check(ours.rules / "scoring.toml")
        problems += segment_rules.check(ours.rules / segment_rules.FILE) + solutions.check(ours.rules)
        problems += sales_file.check(ours.rules)
    errors = [problem for problem in problems if problem.weight == "error"]
    if json:
        print_json([asdict(problem) for problem in problems])
    else:
        for problem in problems:
            mark = "[red]✗[/]" if problem.weight == "error" else "[yellow]![/]"
            where = f"{problem.file}:{problem.line}" if problem.line else problem.file
            out.print(f"{mark} {escaped(where)}: {escaped(problem.what)}\n    {escaped(problem.mend)}")
        out.print(
            f"{len(errors)} problems, {len(problems) - len(errors)} warnings"
            if problems
            else "[green]✓[/] every letter can be written"
        )
    raise typer.Exit(1 if errors else 0)


def preview(
    campaign: Annotated[str, typer.Argument(help="A campaign's folder below templates/.")],
    letter: Annotated[str | None, typer.Argument(help="One letter. [default: all]", show_default=False)] = None,
    role: Annotated[str | None, typer.Option(help="Buying role, e.g. authorizer.")] = None,
    locale: Annotated[str, typer.Option(help="en, es, ro, zh, de, es-MX …")] = "en",
    html: Annotated[Path | None, typer.Option("--html", help="Write the html parts into this folder.")] = None,
    json: AsJson = False,
) -> None:
    """Show letters as Zoë O'Brien of Foo & Søns <GmbH> would get them."""
    from nurture import campaigns
    from nurture.letters import Letterbook, sample
    from nurture.settings import settings

    ours = settings()
    terms = campaigns.read(ours.templates, campaign)
    book = Letterbook(campaigns.files(ours.templates, campaign))
    written = []
    for step in terms.steps:
        if letter in (None, step.letter):
            reader = role or (step.roles[0] if step.roles else None)
            values = sample.values(terms, sample.ZOE | {"role": reader, "locale": locale}) | {
                "company": {"name": ours.company, "postal_address": ours.postal_address}
            }
            written.append((step.letter, book.render(campaign, step.letter, reader, locale, values)))
    if not written:
        raise typer.BadParameter(f"{campaign} has the letters {', '.join(step.letter for step in terms.steps)}")
    if json:
        print_json(
            [
                {
                    "letter": name,
                    "subject": r.subject,
                    "language": r.language,
                    "variant": r.variant,
                    "text": r.text,
                    "html": r.html,
                }
                for name, r in written
            ]
        )
        return
    for name, rendered in written:
        out.rule(f"{name} ({rendered.variant}, {rendered.language})")
        out.print(f"[bold]{escaped(rendered.subject)}[/]\n")
        out.print(escaped(rendered.text))
        if html:
            html.mkdir(parents=True, exist_ok=True)
            file = html / f"{campaign}.{name}.{reader_name(role)}{rendered.language}.html"
            file.write_text(rendered.html, "utf-8")
            out.print(f"[dim]{file}[/]")


def reader_name(role: str | None) -> str:
    return f"{role}." if role else ""


def apply(
    campaign: Slug = None,
    by: Annotated[str, typer.Option(help="Who publishes.")] = "",
    json: AsJson = False,
    at: At = None,
) -> None:
    """Publish campaigns: their files become a version that new leads begin with. Unchanged files publish nothing."""
    import getpass

    from nurture import publishing

    settings, engine, now = here(at)
    done = publishing.publish(engine, settings.templates, campaign, by or getpass.getuser(), now)
    if json:
        print_json([{"campaign": slug, "version": number, "new": new} for slug, number, new in done])
        return
    for slug, number, new in done:
        out.print(f"{slug}: version {number} {'published' if new else 'unchanged'}")


def send(
    campaign: Slug = None,
    missing: Annotated[str | None, typer.Option(help="A letter: plan it again for whom it was skipped.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: AsJson = False,
    at: At = None,
) -> None:
    """Plan what is due in published campaigns, then let the outbox leave. Run it twice: nobody gets a letter twice.

    Exit code 1 when the provider stopped us or a message's fate is unknown.
    """
    from dataclasses import asdict

    from models import campaign as kept
    from nurture import carriers, db
    from nurture.desk import Desk
    from nurture.epoch import outside
    from tasks import delivery, promotions, sequences
    from tasks.recall import recall

    settings, engine, now = here(at)
    with db.reading(engine) as session:
        published = [row for row in kept.published(session) if campaign in (None, row["slug"])]
    if not published:
        nothing = f"{campaign} is not published" if campaign else "nothing is published yet"
        raise typer.BadParameter(f"{nothing}: nurture apply {campaign or ''}".strip())
    plans = {}
    for row in published:
        noun = promotions if row["market"] == "b2c" else sequences
        plans[row["slug"]] = noun.enrol(engine, now, row["slug"], row["version_id"]) + noun.plan(
            engine, now, row["slug"]
        )
    planned = sum(plan.planned for plan in plans.values())
    if not json:
        print_table(
            ("campaign", "#entered", "#planned", "#skipped", "#waiting", "#ended"),
            [(slug, p.entered, p.planned, p.skipped, p.waiting, p.ended) for slug, p in plans.items()],
        )
    carrier, desk = carriers.transport(settings), Desk(settings)
    again = _again(engine, now, desk, published, missing) if missing else 0
    if again and not json:
        out.print(f"{again:,} who were left out get {missing!r} after all")
    if not yes and carrier.name != "mailbox":
        typer.confirm(
            f"{planned + again:,} new letters are planned. Let the outbox leave through {carrier.name}?",
            abort=True,
            err=True,
        )
    clock = (lambda: now) if at else settings.clock
    recall(engine, clock, carrier, desk)
    done = delivery.deliver(engine, clock, carrier, desk, outside=outside(settings))
    if json:
        print_json(
            {"plans": {slug: asdict(plan) for slug, plan in plans.items()}, "again": again, "delivered": asdict(done)}
        )
    else:
        out.print(
            f"{done.accepted:,} accepted by the {carrier.name}, {done.skipped:,} skipped, {done.refused:,} refused, "
            f"{done.unknown:,} unknown, {done.put_off:,} put off to a better hour"
        )
        if done.stopped:
            err.print(f"[red]stopped:[/] {escaped(done.stopped)}")
    raise typer.Exit(1 if done.stopped or done.unknown else 0)


def _again(engine: "Engine", now: "datetime", desk: "Desk", published: "list[RowMapping]", letter: str) -> int:
    """Plan a letter once more for those whose reason to be skipped is gone; never for who has it, or may have it."""
    from nurture import db
    from tasks.delivery import missing

    if len(published) != 1:
        raise typer.BadParameter("--missing needs one campaign")
    slug, version_id = published[0]["slug"], published[0]["version_id"]
    with db.reading(engine) as session:
        terms = desk.edition(session, slug, version_id).campaign
    letters = [step.letter for step in terms.steps] if terms else []
    if letter not in letters:
        raise typer.BadParameter(f"{slug} has the letters {', '.join(letters)}")
    return missing(engine, now, desk, version_id, letters.index(letter)).waiting


def _scope(what: str | None) -> str:
    """What a brake is for. A campaign's name has no dots, a domain's has."""
    return "all" if what is None else f"domain:{what.lower()}" if "." in what else f"campaign:{what}"


def pause(
    campaign: Annotated[
        str | None,
        typer.Argument(help="One campaign, or a sending domain. [default: everything]", show_default=False),
    ] = None,
    account: Annotated[str | None, typer.Option(help="One account instead, by its key in your files.")] = None,
    until: Annotated[str | None, typer.Option(help="With --account: the day it goes on by itself, 2026-04-01.")] = None,
    why: Annotated[str, typer.Option(help="The next reader will want to know.")] = "by hand",
    by: Annotated[str, typer.Option(help="Who pauses. [default: you]", show_default=False)] = "",
    at: At = None,
) -> None:
    """Stop sending, at once: nothing is claimed or armed from now on, and what the provider holds is called back. What
    is on its way may still arrive.

    With --account only that account's sequence letters rest, until a day; they expire as much later.
    """
    import getpass

    from models.campaign import set_brake
    from models.held import open_batches
    from nurture import carriers, db
    from nurture.desk import Desk
    from tasks.recall import recall

    settings, engine, now = here(at)
    by = by or getpass.getuser()
    if account is not None:
        return _pause_account(engine, now, account, until or "", _day(until, now, settings.sales_zone), why, by)
    if until is not None:
        raise typer.BadParameter("--until needs --account: all sending, or a campaign, goes on with nurture resume")
    with db.writing(engine) as session:
        set_brake(session, _scope(campaign), why, by, now)
        held = open_batches(session)
    if held:
        back = recall(engine, settings.clock, carriers.transport(settings), Desk(settings))
        out.print(f"{back.called_back:,} requests that the provider held were called back")
        if back.missed:
            err.print(f"[red]{back.missed:,} were not:[/] {escaped(back.trouble)}; the next run tries again")
    out.print(f"{campaign or 'all sending'} is paused; go on with: nurture resume {campaign or ''}".rstrip())


def _pause_account(engine: "Engine", now: "datetime", key: str, day: str, until: "datetime", why: str, by: str) -> None:
    from datetime import date

    from models import pause as pauses
    from nurture import db
    from nurture.timeline import account_named

    with db.writing(engine) as session:
        held = pauses.pause(session, account_named(session, key)["id"], until, why, by, now)
    waits = f"; {held} letters that wait now wait for it" if held else ""
    out.print(
        f"{key} is paused until {date.fromisoformat(day):%-d %B %Y}{waits}; earlier: nurture resume --account {key}",
        markup=False,
    )


def _day(text: str | None, now: "datetime", zone: str) -> "datetime":
    """The morning of a day, where sales work."""
    from datetime import date, time
    from zoneinfo import ZoneInfo

    from nurture.rules.hours import at

    try:
        moment = at(date.fromisoformat(text or ""), time(0), ZoneInfo(zone))
    except ValueError:
        raise typer.BadParameter("--account needs --until with a day like 2026-04-01") from None
    if moment <= now:
        raise typer.BadParameter(f"--until {text} is over already")
    return moment


def resume(
    campaign: Annotated[
        str | None,
        typer.Argument(help="One campaign, or a sending domain. [default: everything]", show_default=False),
    ] = None,
    account: Annotated[str | None, typer.Option(help="One account instead, by its key in your files.")] = None,
    restored: Annotated[
        bool, typer.Option("--restored", help="The database was restored or copied: I know what was sent since.")
    ] = False,
    by: Annotated[str, typer.Option(help="Who goes on. [default: you]", show_default=False)] = "",
    at: At = None,
) -> None:
    """Go on sending what `pause`, or the provider, stopped."""
    import getpass

    from models.campaign import release_brake
    from nurture import db

    settings, engine, now = here(at)
    if account is not None:
        return _resume_account(engine, now, account, by or getpass.getuser())
    if restored:
        return _after_restore(settings, engine, now, by)
    with db.writing(engine) as session:
        was = release_brake(session, _scope(campaign))
    out.print(f"{campaign or 'sending'} {'goes on' if was else 'was not paused'}")


def _resume_account(engine: "Engine", now: "datetime", key: str, by: str) -> None:
    from models import pause as pauses
    from nurture import db
    from nurture.timeline import account_named

    with db.writing(engine) as session:
        was = pauses.resume(session, account_named(session, key)["id"], by, now)
    out.print(f"{key} {'goes on' if was else 'was not paused'}", markup=False)


def _after_restore(settings: "Settings", engine: "Engine", now: "datetime", by: str) -> None:
    import getpass

    from nurture.epoch import outside
    from tasks.delivery import new_id
    from tasks.restored import confirm

    if (file := outside(settings)) is None:
        out.print("the mailbox keeps no mark: nothing leaves this machine, so nothing needs to be confirmed")
        return
    confirm(engine, file, by or getpass.getuser(), new_id(), now)
    out.print("sending goes on from what the database remembers: what it has forgotten may be sent again")
