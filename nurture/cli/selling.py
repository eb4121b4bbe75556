"""nurture threshold, accounts: for which leads sales have time, and which accounts are about to buy."""

from typing import Annotated

import typer

from nurture.cli.console import AsJson, At, here, out, print_json, print_table


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(threshold)
    app.command()(accounts)


def threshold(
    keep: Annotated[bool, typer.Option("--set", help="Hand over from this score on, from now on.")] = False,
    json: AsJson = False,
    at: At = None,
) -> None:
    """From which score on do sales have time for a lead this week? What that gains, and one step more or less."""
    from nurture.config import sales
    from nurture.runtime import database
    from tasks.handoff import terms, threshold_in_force
    from tasks.sales_threshold import compute_threshold, set_threshold

    settings, engine, now = here(at)
    found = (set_threshold if keep else compute_threshold)(engine, now, sales.read(settings.rules))
    with database.reading(engine) as session:
        kept = threshold_in_force(session, now)
    score, since = (kept.body["threshold"], kept.made_at) if kept else (terms().threshold, None)
    if json:
        force = {"threshold": score, "since": since, "version": kept.version if kept else None}
        print_json({"in_force": force, "week": found.week.as_body() if found.week else None, "words": found.words})
        return
    out.print(found.words, markup=False)
    if found.week is None:
        out.print("To follow sales' calendars: cp examples/sales.toml templates/", markup=False)
        return
    shown = [(_score(one.score), one.leads, _figure(one.sales), _figure(one.left)) for one in found.week.lines]
    print_table(("from a score of", "#leads a week", "#expected", "#left"), shown)
    print_table(
        ("rep", "#at work", "#leads", "#unanswered", "#free"),
        [(one.email, f"{one.weeks:.0%}", one.leads, one.waiting, one.free) for one in found.week.reps],
    )
    if found.week.strangers:
        out.print(f"{found.week.strangers:,} of these leads belong to somebody who is not in {sales.FILE}.")
    said = f"In force: {_score(score)}" + (f", set {since:%-d %B %H:%M} UTC." if since else ", as the settings say.")
    out.print(said if score == found.threshold else f"{said} Change it now: nurture threshold --set", markup=False)


def accounts(
    learn: Annotated[bool, typer.Option("--learn", help="Learn from the opportunities on record first.")] = False,
    top: Annotated[int, typer.Option(help="How many to show.", min=0)] = 10,
    json: AsJson = False,
    at: At = None,
) -> None:
    """Which accounts are likely to open an opportunity, why, and who of the buying group is missing?"""
    from models import learned_parameter
    from models.learned_parameter import LearnedSubject
    from models.queries import account_history
    from nurture.config import scoring
    from nurture.runtime import database
    from tasks.scoring.accounts import learn_accounts
    from tasks.scoring.scores import score_accounts

    settings, engine, now = here(at)
    if learn:
        rules = scoring.read(settings.rules / "scoring.toml")
        learn_accounts(engine, now, rules)
        score_accounts(engine, now, rules)
    with database.reading(engine) as session:
        told = {
            about: learned_parameter.newest(session, about, now)
            for about in (LearnedSubject.ACCOUNTS, LearnedSubject.ROLES)
        }
        best = account_history.best(session, top)
    if json:
        learned = {about.value: one and one._asdict() for about, one in told.items()}
        print_json({"learned": learned, "best": [one._asdict() for one in best]})
        return
    for one in told.values():
        out.print(one.words if one else "Nothing was learned yet: nurture accounts --learn", markup=False)
        if one is None:
            break
    for account in best:
        chance = "" if account.probability is None else f" {account.probability:4.0%}"
        out.print(f"\n{account.score:3.0f}{chance}  {account.name}", markup=False)
        for reason in account.reasons[:2]:
            out.print(f"        {reason['text']}", markup=False)
        if account.missing_role:
            out.print(f"        {account.missing_why or 'Missing: ' + account.missing_role + '.'}", markup=False)


def _score(score: float) -> str:
    return "nobody" if score > 100 else f"{score:g}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
