"""After a power cut: runs that nobody runs any more are marked crashed, runs whose time is long over are skipped."""

import inspect
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

from flows.orchestration.late_run_guard import delay_since, skipped_state
from nurture.runtime import clock

PAGE = 200  # the most runs Prefect tells at a time
UNDER_WAY = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)
GONE = (
    "nurture was stopped without notice while this ran. "
    "Nothing is lost or sent twice: the next run goes on from the database."
)


async def repair_runs(client: PrefectClient, flows: Mapping[UUID, Flow[..., Any]]) -> tuple[int, int]:
    """Mark runs that died with the last runner as crashed, and runs that are too late as skipped.

    Called before the runner begins, when nothing of ours can be running: what the server believes to run has died. A
    crashed run frees its place, which would else stay taken for five minutes. Late runs would all be executed, oldest
    first and a process each, only to find that they are late. `flows`: by the id of their deployment. Returns how many
    were (crashed, skipped).
    """
    crashed = missed = 0
    async for run in _runs(client, flows, FlowRunFilterStateType(any_=list(UNDER_WAY))):
        await client.set_flow_run_state(run.id, Crashed(message=GONE), force=True)
        crashed += 1
    async for run in _runs(client, flows, FlowRunFilterStateType(any_=[StateType.SCHEDULED])):
        assert run.deployment_id is not None  # noqa: S101  we asked for runs that have one …
        assert run.expected_start_time is not None  # noqa: S101  … and the other
        most = most_minutes_late(flows[run.deployment_id], run.parameters)
        if (late := delay_since(run.expected_start_time)) > timedelta(minutes=most):
            await client.set_flow_run_state(run.id, skipped_state(late, most), force=True)
            missed += 1
    return crashed, missed


async def _runs(
    client: PrefectClient, flows: Mapping[UUID, Flow[..., Any]], state: FlowRunFilterStateType
) -> AsyncIterator[FlowRun]:
    """Runs of these deployments that should have begun by now, page by page, all read before the first is changed."""
    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=list(flows)),
        state=FlowRunFilterState(type=state),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=clock.wall()),
    )
    found: list[FlowRun] = []
    while page := await client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(found)):
        found += page
    for run in found:
        yield run


def most_minutes_late(flow: Flow[..., Any], parameters: Mapping[str, Any]) -> int:
    """How many minutes late a run may begin: its own parameter, else its flow's default."""
    default: int = inspect.signature(flow.fn).parameters["most_late"].default
    return int(parameters.get("most_late", default))
