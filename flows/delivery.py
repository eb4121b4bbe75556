"""When the outbox leaves: every five minutes."""

from dataclasses import asdict
from typing import Annotated

from prefect import State
from prefect.states import Completed
from pydantic import Field
from sqlalchemy import Engine

from flows import board
from flows.lateness import too_late
from flows.run import Minutes, Trouble, done, noun, total
from models.epoch import RESTORED
from models.message import brakes
from nurture import carriers, db
from nurture.desk import Desk
from nurture.epoch import outside
from nurture.settings import settings
from tasks.delivery import deliver
from tasks.restored import MEND


@noun("deliver up to {most:,} letters")
def delivery(
    most: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000, most_late: Minutes = 30
) -> State[None]:  # fmt: skip
    """Every five minutes: the outbox leaves, once.

    There is no retry here and nothing to re-run: what did not leave waits in the outbox for the next run.

    Args:
        most: The most messages of one run. The rest leaves with the next one.
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
    """
    if skipped := too_late(most_late):
        return skipped
    ours, engine = settings(), db.here()
    with db.reading(engine) as session:
        forgotten = brakes(session).get(RESTORED)
    if forgotten:
        raise Trouble(forgotten)
    if why := _paused(engine):
        return Completed(name="Paused", message=f"Nothing leaves: {why}. Go on with `nurture resume`")

    delivered = deliver.task(engine, ours.clock, carriers.transport(ours), Desk(ours), most, outside(ours))

    board.table("delivery", [asdict(delivered)], "Messages that left the outbox, and those that did not")
    if why := _paused(engine):
        raise Trouble(
            f"The provider refuses everything, so sending is paused: {why}. Mend that, then `nurture resume`."
        )
    if MEND in delivered.stopped:
        raise Trouble(delivered.stopped)
    return done(total([delivered]), "accepted", "skipped", "refused", "unknown", "put_off", more=_paused_parts(engine))


def _paused_parts(engine: Engine) -> str:
    """Campaigns and sending domains that are paused while the others go on."""
    with db.reading(engine) as session:
        return "; ".join(f"{scope.partition(':')[2]} is paused: {why}" for scope, why in brakes(session).items())


def _paused(engine: Engine) -> str | None:
    """Why nothing at all leaves, when somebody or the provider said so."""
    with db.reading(engine) as session:
        return brakes(session).get("all")
