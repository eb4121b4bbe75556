"""nurture pause, resume: stop all sending, one campaign, a sending domain, or let one account rest."""

from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import At, err, escaped, here, out

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

    from nurture.runtime.settings import Settings
    from tasks.delivery.send_pauses import ResumeForecast


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (pause, resume):
        app.command()(command)


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
    """Stop sending, at once: nothing is claimed or armed from now on, and scheduled sends are cancelled. What is on its
    way may still arrive.

    With --account only that account's sequence letters rest, until a day; they expire as much later.
    """
    import getpass

    from models.send_pause import PauseScope, pause_sending
    from nurture.runtime import database

    settings, engine, now = here(at)
    by = by or getpass.getuser()
    if account is not None:
        _pause_account(engine, now, account, _day(until, now, settings.sales_zone), why, by)
        return _cancel_sends(settings, engine)
    if until is not None:
        raise typer.BadParameter("--until needs --account: all sending, or a campaign, goes on with nurture resume")
    with database.writing(engine) as session:
        pause_sending(session, PauseScope.named(campaign), why, by, now)
    _cancel_sends(settings, engine)
    out.print(f"{campaign or 'all sending'} is paused; go on with: nurture resume {campaign or ''}".rstrip())


def _cancel_sends(settings: "Settings", engine: "Engine") -> None:
    """What the provider keeps and may not leave now is cancelled."""
    from models.queries.scheduled_send import open_batches
    from nurture.channels import registry
    from nurture.rendering.composer import Composer
    from nurture.runtime import database
    from tasks.delivery.scheduled_send import cancel_sends

    with database.reading(engine) as session:
        held = open_batches(session)
    if held:
        back = cancel_sends(engine, settings.clock, registry.channel(settings), Composer(settings))
        out.print(f"{back.cancelled:,} requests that the provider kept were cancelled")
        if back.missed:
            err.print(f"[red]{back.missed:,} were not:[/] {escaped(back.trouble)}; the next run tries again")


def _pause_account(engine: "Engine", now: "datetime", key: str, until: "datetime", why: str, by: str) -> None:
    """`until`: the first moment of the day on which letters go on, in the zone of sales."""
    from models import account_pause as pauses
    from nurture.explain.timeline import account_named
    from nurture.runtime import database

    with database.writing(engine) as session:
        letters = pauses.pause_account(session, account_named(session, key).id, until, why, by, now)
    waits = f"; {letters} letters that wait now wait for it" if letters else ""
    out.print(
        f"{key} is paused until {until:%-d %B %Y}{waits}; earlier: nurture resume --account {key}",
        markup=False,
    )


def _day(text: str | None, now: "datetime", zone: str) -> "datetime":
    """The first moment of a day where sales work, told in their zone."""
    from datetime import date, time
    from zoneinfo import ZoneInfo

    from nurture.rules.planning.hours import at

    try:
        moment = at(date.fromisoformat(text or ""), time(0), ZoneInfo(zone)).astimezone(ZoneInfo(zone))
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would leave and what would be passed over.")
    ] = False,
    by: Annotated[str, typer.Option(help="Who goes on. [default: you]", show_default=False)] = "",
    at: At = None,
) -> None:
    """Go on sending what `pause`, or the provider, stopped; says first what leaves and what is passed over.

    What was due meanwhile lives as much longer as the pause lasted.
    """
    import getpass

    from models.send_pause import PauseScope
    from nurture.rendering.composer import Composer
    from tasks.delivery import send_pauses

    settings, engine, now = here(at)
    if account is not None:
        return _resume_account(engine, now, account, by or getpass.getuser())
    if restored:
        return _after_restore(settings, engine, now, by)
    scope, composer = PauseScope.named(campaign), Composer(settings)
    _say_what_leaves(send_pauses.forecast(engine, scope, composer, now))
    if dry_run:
        return
    was = send_pauses.resume(engine, scope, composer, now)
    out.print(f"{campaign or 'sending'} {'goes on' if was else 'was not paused'}")


def _say_what_leaves(found: "ResumeForecast") -> None:
    from nurture.rules.reporting.ledger import describe_reasons

    if found.leave:
        out.print(f"{found.leave.total():,} letters leave, at once or at their reader's hours:", markup=False)
        for one, n in sorted(found.leave.items()):
            out.print(f"  {n:,} × {one.campaign}/{one.letter}", markup=False)
    if found.pass_over:
        out.print(f"{found.pass_over.total():,} are passed over:", markup=False)
        for late, n in sorted(found.pass_over.items()):
            out.print(f"  {late.campaign}/{late.letter}: {describe_reasons({late.reason: n})}", markup=False)
    if found.still_paused:
        out.print(f"{found.still_paused:,} more wait for another pause to end", markup=False)


def _resume_account(engine: "Engine", now: "datetime", key: str, by: str) -> None:
    from models import account_pause as pauses
    from nurture.explain.timeline import account_named
    from nurture.runtime import database

    with database.writing(engine) as session:
        was = pauses.resume_account(session, account_named(session, key).id, by, now)
    out.print(f"{key} {'goes on' if was else 'was not paused'}", markup=False)


def _after_restore(settings: "Settings", engine: "Engine", now: "datetime", by: str) -> None:
    import getpass

    from nurture.runtime.restore_guard import restore_mark_file
    from tasks.delivery.claims import new_id
    from tasks.delivery.restore_guard import confirm_restore

    if (file := restore_mark_file(settings)) is None:
        out.print("the mailbox keeps no mark: nothing leaves this machine, so nothing needs to be confirmed")
        return
    confirm_restore(engine, file, by or getpass.getuser(), new_id(), now)
    out.print("sending goes on from what the database remembers: what it has forgotten may be sent again")
