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

from flows.orchestration.late_run_guard import behind, skipped
from nurture.runtime import clock

PAGE = 200  # the most runs Prefect tells at a time
UNDER_WAY = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)
GONE = (
    "nurture was stopped without notice while this ran. "
    "Nothing is lost or sent twice: the next run goes on from the database."
)


async def recover(client: PrefectClient, flows: Mapping[UUID, Flow[..., Any]]) -> tuple[int, int]:
    """Before the runner begins nothing of ours can be under way: what says so died. Returns (crashed, skipped).

    A crashed run frees its place, which would else stay taken for five minutes. Missed runs would all be executed,
    oldest first and a process each, only to find that they are late; here they are told so at once.
    `flows`: by deployment.
    """
    crashed = missed = 0
    async for run in _runs(client, flows, FlowRunFilterStateType(any_=list(UNDER_WAY))):
        await client.set_flow_run_state(run.id, Crashed(message=GONE), force=True)
        crashed += 1
    async for run in _runs(client, flows, FlowRunFilterStateType(any_=[StateType.SCHEDULED])):
        assert run.deployment_id is not None  # noqa: S101  we asked for runs that have one …
        assert run.expected_start_time is not None  # noqa: S101  … and the other
        most = most_late(flows[run.deployment_id], run.parameters)
        if (late := behind(run.expected_start_time)) > timedelta(minutes=most):
            await client.set_flow_run_state(run.id, skipped(late, most), force=True)
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


def most_late(flow: Flow[..., Any], parameters: Mapping[str, Any]) -> int:
    """A run's own limit, else its flow's."""
    default: int = inspect.signature(flow.fn).parameters["most_late"].default
    return int(parameters.get("most_late", default))
