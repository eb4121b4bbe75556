"""nurture check, preview, apply, send: campaigns from folder to outbox."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import AsJson, At, err, escaped, here, out, print_json, print_table

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

    from models.campaign import CampaignInForce
    from nurture.rendering.composer import Composer
    from nurture.rendering.template_set import RenderedLetter
    from nurture.rendering.values import Value
    from tasks.delivery.eligibility import Delivered
    from tasks.planning.enrolments import Planned

Slug = Annotated[
    str | None, typer.Argument(help="A campaign's folder below templates/. [default: all]", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (check, preview, apply, send):
        app.command()(command)


def check(campaign: Slug = None, json: AsJson = False) -> None:
    """Read every campaign as its recipients would: files, placeholders, links, sizes, languages.

    Needs no database; where there is one, it is asked how many people a missing language concerns.

    Exit code 1 when there is a problem to mend.
    """
    from dataclasses import asdict

    from nurture.channels import registry
    from nurture.checks import campaign as campaign_check
    from nurture.checks.languages import readers_of
    from nurture.config import sales, scoring, segments, solutions
    from nurture.runtime import database
    from nurture.runtime.settings import settings

    ours = settings()
    now = ours.clock()
    readers = readers_of(database.here(), now) if database.is_there(ours.database) else None
    problems = campaign_check.check(
        ours.templates, campaign, now.date(), parts=registry.needed_parts(ours), readers=readers
    )
    if campaign is None:
        problems += scoring.check(ours.rules / "scoring.toml")
        problems += segments.check(ours.rules / segments.FILE) + solutions.check(ours.rules)
        problems += sales.check(ours.rules)
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
    from nurture.config import campaigns
    from nurture.rendering import TemplateSet, samples
    from nurture.runtime.settings import settings

    ours = settings()
    terms = campaigns.read(ours.templates, campaign)
    templates = TemplateSet(campaigns.files(ours.templates, campaign))
    company: dict[str, Value] = {"name": ours.company, "postal_address": ours.postal_address}
    written: list[tuple[str, RenderedLetter]] = []
    for step in terms.steps:
        if letter in (None, step.letter):
            recipient_role = role or (step.roles[0] if step.roles else None)
            sample = samples.ZOE._replace(role=recipient_role, locale=locale)
            values: dict[str, Value] = {**samples.values(terms, sample), "company": company}
            written.append((step.letter, templates.render(campaign, step.letter, recipient_role, locale, values)))
    if not written:
        raise typer.BadParameter(f"{campaign} has the letters {', '.join(step.letter for step in terms.steps)}")
    if json:
        print_json([{"letter": name} | {part: getattr(rendered, part) for part in PARTS} for name, rendered in written])
        return
    for name, rendered in written:
        out.rule(f"{name} ({rendered.variant}, {rendered.language})")
        out.print(f"[bold]{escaped(rendered.subject)}[/]\n")
        out.print(escaped(rendered.text))
        if html:
            file = html / f"{campaign}.{name}.{f'{role}.' if role else ''}{rendered.language}.html"
            html.mkdir(parents=True, exist_ok=True)
            file.write_text(rendered.html, "utf-8")
            out.print(f"[dim]{file}[/]")


PARTS = ("subject", "language", "variant", "text", "html")  # of a rendered letter, as preview's JSON has them


def apply(
    campaign: Slug = None,
    by: Annotated[str, typer.Option(help="Who publishes.")] = "",
    json: AsJson = False,
    at: At = None,
) -> None:
    """Publish campaigns: their files become a version that new leads begin with. Unchanged files publish nothing."""
    import getpass

    from tasks import publish

    settings, engine, now = here(at)
    done = publish.publish(engine, settings.templates, campaign, by or getpass.getuser(), now)
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
    from models.campaign import published
    from nurture.channels import registry
    from nurture.rendering.composer import Composer
    from nurture.runtime import database, log
    from nurture.runtime.restore_guard import restore_mark_file
    from tasks.delivery import outbox
    from tasks.delivery.scheduled_send import cancel_sends

    settings, engine, now = here(at)
    with database.reading(engine) as session:
        campaigns = [row for row in published(session) if campaign in (None, row.slug)]
    if not campaigns:
        nothing = f"{campaign} is not published" if campaign else "nothing is published yet"
        raise typer.BadParameter(f"{nothing}: nurture apply {campaign or ''}".strip())
    plans = _plan(engine, now, campaigns)
    if not json:
        print_table(
            ("campaign", "#entered", "#planned", "#skipped", "#waiting", "#ended"),
            [(slug, p.entered, p.planned, p.skipped, p.waiting, p.ended) for slug, p in plans.items()],
        )
    log.configure(settings.log)
    channel, composer = registry.channel(settings), Composer(settings)
    again = _again(engine, now, composer, campaigns, missing) if missing else 0
    if again and not json:
        out.print(f"{again:,} who were left out get {missing!r} after all")
    if not yes and channel.name != "mailbox":
        new = sum(plan.planned for plan in plans.values()) + again
        typer.confirm(
            f"{new:,} new letters are planned. Let the outbox leave through {channel.name}?", abort=True, err=True
        )
    clock = (lambda: now) if at else settings.clock
    cancel_sends(engine, clock, channel, composer)
    done = outbox.deliver(engine, clock, channel, composer, outside=restore_mark_file(settings))
    if json:
        print_json({"plans": plans, "again": again, "delivered": done})
    else:
        _show_delivered(done, channel.name)
    raise typer.Exit(1 if done.stopped or done.unknown else 0)


def _plan(engine: "Engine", now: "datetime", campaigns: "list[CampaignInForce]") -> "dict[str, Planned]":
    """Enrol and plan each campaign; what came of it, by its folder's name."""
    from tasks.planning import promotions, sequences

    plans = {}
    for row in campaigns:
        noun = promotions if row.market == "b2c" else sequences
        slug = row.slug
        plans[slug] = noun.enrol(engine, now, slug, row.version_id) + noun.plan(engine, now, slug)
    return plans


def _show_delivered(done: "Delivered", channel: str) -> None:
    """What left the outbox, and why it stopped if it did."""
    out.print(
        f"{done.accepted:,} accepted by the {channel}, {done.skipped:,} skipped, {done.refused:,} refused, "
        f"{done.unknown:,} unknown, {done.put_off:,} put off to a better hour"
    )
    if done.stopped:
        err.print(f"[red]stopped:[/] {escaped(done.stopped)}")


def _again(
    engine: "Engine", now: "datetime", composer: "Composer", published: "list[CampaignInForce]", letter: str
) -> int:
    """Plan a letter once more for those whose reason to be skipped is gone; never for who has it, or may have it."""
    from nurture.runtime import database
    from tasks.delivery.resend import missing

    if len(published) != 1:
        raise typer.BadParameter("--missing needs one campaign")
    slug, version_id = published[0].slug, published[0].version_id
    with database.reading(engine) as session:
        terms = composer.published_version(session, slug, version_id).campaign
    letters = [step.letter for step in terms.steps] if terms else []
    if letter not in letters:
        raise typer.BadParameter(f"{slug} has the letters {', '.join(letters)}")
    return missing(engine, now, composer, version_id, letters.index(letter)).waiting
