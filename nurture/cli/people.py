"""nurture alias: two addresses are one person's; or they are not."""

from typing import Annotated

import typer

from nurture.cli.console import AsJson, here, out, print_json


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(alias)


def alias(
    address: Annotated[str, typer.Argument(help="An address.")],
    other: Annotated[str | None, typer.Argument(help="Another address of the same person.", show_default=False)] = None,
    apart: Annotated[bool, typer.Option("--apart", help="No: this address is somebody else's.")] = False,
    json: AsJson = False,
) -> None:
    """Say that two addresses are one person's: letters to both count together, and no letter reaches them twice.

    Without a second address, show what is known. An unsubscribe stays with the address it came from.
    """
    from models.queries import person
    from nurture.rules.intake.addresses import normalise, why_not
    from nurture.runtime import database

    if apart and other:
        raise typer.BadParameter("--apart takes one address: the one that is somebody else's")
    for given in filter(None, (address, other)):
        if normalise(given) is None:
            raise typer.BadParameter(f"{given!r} {why_not(given)}")
    one, two = normalise(address) or "", normalise(other or "")
    _, engine, _ = here()
    with database.writing(engine) as session:
        changed = person.is_apart(session, one) if apart else bool(two and person.are_one(session, [(one, two)]))
        known = person.addresses(session, one)
    if json:
        print_json({"addresses": known, "changed": changed})
    elif len(known) > 1:
        out.print(f"one person: {', '.join(known)}", markup=False)
    else:
        out.print(f"{one} is the only address known of its reader", markup=False)
