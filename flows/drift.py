"""When we look whether leads still look as they did when the score was learned: every day."""

from prefect import State, get_run_logger
from prefect.events import emit_event
from prefect.states import Completed

from flows.orchestration import artifacts
from flows.orchestration.flow_factory import At, Minutes, moment_to_act, noun_flow
from flows.orchestration.late_run_guard import skip_if_late
from nurture.config import scoring
from nurture.runtime import database
from nurture.runtime.settings import settings
from tasks.scoring.drift import watch

EVENT = "nurture.drift"


@noun_flow("watch the scores")
def drift(most_late: Minutes = 240, at: At = None) -> State[None]:
    """Every day: do leads still look as they did when the champion was trained, and do its scores come true?

    Quiet when nothing moved. Else a page among Prefect's artifacts, a warning in the log, and the event nurture.drift,
    from which an automation can tell somebody.

    Args:
        most_late: A run that starts more than this many minutes late does nothing and ends Skipped.
        at: The moment to act as. Empty: now.
    """
    if skipped := skip_if_late(most_late, at):
        return skipped
    ours, engine, now = settings(), database.here(), moment_to_act(at)
    rules = scoring.read(ours.rules / "scoring.toml")

    found = watch.prefect_task(engine, now, rules, ours.model_folder)

    alarms = [one for one in found if one.moved]
    for one in alarms:
        get_run_logger().warning(one.words)
        emit_event(
            EVENT,
            resource={"prefect.resource.id": f"nurture.model.{one.market}", "prefect.resource.name": str(one.version)},
            payload={"market": one.market, "version": one.version, "moved": list(one.moved)},
        )
    if alarms:
        page = [f"## {one.market}, {one.version}\n\n" + "\n".join(f"* {said}" for said in one.moved) for one in alarms]
        artifacts.create_page("drift", "\n\n".join(page), "What moved since the model in charge was trained")
    moved = sum(len(one.moved) for one in alarms)
    return Completed(message=" ".join(one.words for one in alarms)[:500] if moved else "nothing moved")
