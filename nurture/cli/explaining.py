"""nurture ledger, why: who got what, who did not, and why."""

from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import AsJson, At, here, out, print_json, print_table

if TYPE_CHECKING:
    from nurture.rules.reporting.ledger import LedgerLine
    from tasks.reporting import LedgerReport

GROUPS = ("planned", "accepted", "skipped", "refused", "unknown", "waiting")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(ledger)
    app.command()(why)


def ledger(
    campaign: Annotated[str | None, typer.Argument(help="One campaign. [default: all]", show_default=False)] = None,
    who: Annotated[
        str | None, typer.Option(help="Name the people of a group: accepted, skipped, refused, unknown or waiting.")
    ] = None,
    reasons: Annotated[bool, typer.Option("--reasons", help="Count the letters not sent by reason instead.")] = False,
    lift: Annotated[bool, typer.Option("--lift", help="What the letters earned, against who was held out.")] = False,
    json: AsJson = False,
    at: At = None,
) -> None:
    """Every planned message in one of five groups. Exit code 1 if it does not add up (it must), or some are unknown."""
    from models.queries import ledger as ledgers
    from nurture.runtime import database
    from tasks.reporting import report

    _, engine, now = here(at)
    if who:
        if campaign is None or who not in GROUPS[1:]:
            raise typer.BadParameter("name a campaign, and one of " + ", ".join(GROUPS[1:]))
        with database.reading(engine) as session:
            people = ledgers.list_people(session, campaign, who)
        if json:
            print_json(people)
        else:
            print_table(
                ("letter", "address", "state", "why"),
                [(one.letter, one.address, one.state, one.detail or one.reason) for one in people],
            )
        return
    done = report(engine, now, campaign)
    if reasons:
        _reasons(done, json)
    elif lift:
        _lifts(done, json)
    elif json:
        print_json(done.lines)
    else:
        _show(done)
    raise typer.Exit(0 if done.adds_up and not any(line.unknown for line in done.lines) else 1)


def _show(done: "LedgerReport") -> None:
    """The ledger, then why letters did not leave, then the funnel: each fits a narrow terminal."""
    from nurture.rules.reporting.ledger import FUNNEL, campaign_title, describe_reasons

    print_table(
        ("letter", *(f"#{group}" for group in GROUPS)),
        [(_place(line), *(line.count(group) for group in GROUPS)) for line in done.lines],
    )
    for line in done.lines:
        if line.reasons:
            out.print(
                f"{campaign_title(line.campaign)} {line.letter}, not sent: {describe_reasons(line.reasons)}",
                markup=False,
            )
    if done.funnel:
        print_table(
            ("people", *(f"#{row.campaign}" for row in done.funnel)),
            [(name.replace("_", " "), *(row.count(name) for row in done.funnel)) for name in FUNNEL],
        )


def _reasons(done: "LedgerReport", json: bool) -> None:
    """How many letters were not sent for each reason, and where."""
    from nurture.rules.reasons import sentence_of
    from nurture.rules.reporting.ledger import campaign_title, count_reasons

    counted = count_reasons(done.lines)
    if json:
        print_json([{"reason": why, "n": sum(where.values()), "campaigns": where} for why, where in counted.items()])
        return
    print_table(
        ("reason", "in words", "#letters", "where"),
        [
            (why, sentence_of(why), sum(where.values()),
             ", ".join(f"{campaign_title(slug)} {n:,}" for slug, n in sorted(where.items())))
            for why, where in counted.items()
        ],
    )  # fmt: skip


def _lifts(done: "LedgerReport", json: bool) -> None:
    """What the letters of each campaign with a holdout earned, and those of all campaigns together."""
    from dataclasses import asdict

    if json:
        print_json([{"of": of, **asdict(one), "sentence": one.sentence()} for of, one in done.lifts.items()])
        return
    for of, one in done.lifts.items():
        out.print(f"{of}: {one.sentence()}", markup=False)
    if not done.lifts:
        out.print("Nobody is held out: write holdout = 0.1 into a campaign, or set NURTURE_GLOBAL_HOLDOUT.")


def _place(line: "LedgerLine") -> str:
    from nurture.rules.reporting.ledger import campaign_title

    return f"{campaign_title(line.campaign)} {f'v{line.version} ' if line.version else ''}{line.letter}"


def why(
    address: Annotated[str, typer.Argument(help="The person's mail address.")],
    campaign: Annotated[
        str | None, typer.Argument(help="One campaign. [default: every one of their market]", show_default=False)
    ] = None,
    json: AsJson = False,
    at: At = None,
) -> None:
    """Why did this person get a letter, or why not? One sentence a campaign; with --at as things stood then."""
    from nurture.explain.why import why as ask
    from nurture.explain.why import why_everywhere
    from nurture.runtime import database

    _, engine, now = here(at)
    with database.reading(engine) as session:
        said = [(campaign, ask(session, now, address, campaign))] if campaign else why_everywhere(session, now, address)
    if json:
        answers = [answer for _, answer in said]
        print_json(answers[0] if campaign else answers)
        return
    for slug, answer in said:
        out.print(answer.sentence if campaign else f"{slug}: {answer.sentence}", markup=False)
        if today := answer.facts.get("as_of_today"):
            out.print(f"(as they are today, for their past is not kept: {', '.join(today)})", markup=False)
