"""prefect.yaml as Prefect deployments, and the runner that executes their runs.

    python -m flows.orchestration.deployments

`nurture up` starts this; it needs a Prefect server at PREFECT_API_URL. Ops edit one file, prefect.yaml, whether its
flows run here or are deployed to workers with `prefect deploy --all`.
"""

import asyncio
import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ParameterTypeError
from prefect.runner import Runner
from prefect.schedules import Cron, Schedule
from prefect.types.entrypoint import EntrypointType

from flows.orchestration.crashed_run_repair import PAGE, repair_runs
from nurture.runtime.settings import settings
from nurture.runtime.supervisor import READY

MOST_RUNS_AT_ONCE = 4  # runs; more than five at a time make a Prefect server on SQLite wait for itself
SCHEDULE = {"slug", "cron", "timezone", "parameters"}


class DeploymentsError(Exception):
    """The file of deployments cannot be used. The text names the deployment and what to write instead."""


@dataclass(frozen=True)
class DeploymentEntry:
    """One deployment of the file."""

    name: str
    entrypoint: str
    description: str
    tags: Sequence[str]
    parameters: Mapping[str, Any]
    concurrency_limit: Mapping[str, Any]
    schedules: Sequence[Mapping[str, Any]]

    @property
    def flow(self) -> Flow[..., Any]:
        """The flow of its entrypoint, imported."""
        module, _, name = self.entrypoint.rpartition(".")
        found = getattr(importlib.import_module(module), name)
        assert isinstance(found, Flow), f"{self.entrypoint} is no flow"  # noqa: S101  read() has asked
        return found

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same deployment at the next start: entrypoint and name."""
        return self.entrypoint, self.name

    def deployment(self, before: DeploymentResponse | None = None) -> RunnerDeployment:
        """For the runner. `before`: the same deployment as the server has it; what ops switched off there stays off."""
        off = {schedule.slug for schedule in before.schedules if not schedule.active} if before else set()
        made = RunnerDeployment.from_flow(
            self.flow,
            name=self.name,
            description=self.description,
            tags=list(self.tags),
            parameters=dict(self.parameters),
            concurrency_limit=ConcurrencyLimitConfig(**self.concurrency_limit),
            paused=bool(before and before.paused),
            schedules=[_cron(schedule, active=schedule["slug"] not in off) for schedule in self.schedules],
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        made.work_pool_name = made.work_queue_name = (
            None  # said explicitly, else one that was deployed to workers stays theirs
        )
        return made


def _cron(found: Mapping[str, Any], *, active: bool) -> Schedule:
    parameters = found.get("parameters", {})
    return Cron(found["cron"], timezone=found["timezone"], slug=found["slug"], parameters=parameters, active=active)


def read_deployments(file: Path) -> list[DeploymentEntry]:
    """Every deployment of the file, checked: a mistake shows now, not at four in the morning."""
    try:
        document = yaml.safe_load(file.read_text("utf-8"))
    except FileNotFoundError:
        raise DeploymentsError(
            f"{file}: there is no such file. Set NURTURE_DEPLOYMENTS, or take the one that comes with nurture."
        ) from None
    except yaml.YAMLError as error:
        raise DeploymentsError(f"{file}: not YAML: {error}") from None
    entries = [_entry(file, i, one) for i, one in enumerate(document.get("deployments") or [], start=1)]
    if not entries:
        raise DeploymentsError(f"{file}: no deployments. Without one nothing ever runs.")
    return entries


def _entry(file: Path, number: int, found: Mapping[str, Any]) -> DeploymentEntry:
    try:
        entry = DeploymentEntry(
            found["name"], found["entrypoint"], found["description"], found["tags"], found.get("parameters") or {},
            found["concurrency_limit"], found.get("schedules") or [],
        )  # fmt: skip
    except KeyError as error:
        raise DeploymentsError(
            f"{file}: deployment {number} ({found.get('entrypoint', '?')}): {error} is missing."
        ) from None
    for wrong in _mistakes(entry):
        raise DeploymentsError(f"{file}: deployment {number} ({entry.entrypoint}): {wrong}")
    return entry


def _mistakes(entry: DeploymentEntry) -> list[str]:
    """What is wrong with an entry, each with what to write instead."""
    try:
        flow = entry.flow
    except (ImportError, AttributeError, AssertionError) as error:
        return [f"its entrypoint cannot be used: {error}. Write it as flows.scoring.scoring: module, dot, flow."]
    wrong = []
    for schedule in entry.schedules:
        if missing := {"slug", "cron", "timezone"} - set(schedule):
            wrong.append(
                f"a schedule has no {' and no '.join(sorted(missing))}. Deploying again would undo what ops switched."
            )
        if strange := set(schedule) - SCHEDULE:
            wrong.append(f"a schedule says {', '.join(sorted(strange))}; it may say {', '.join(sorted(SCHEDULE))}.")
    for parameters in (entry.parameters, *(schedule.get("parameters", {}) for schedule in entry.schedules)):
        if strange := set(parameters) - set(flow.parameters.properties):
            wrong.append(
                f"{', '.join(sorted(strange))} is no parameter of it; it has {', '.join(flow.parameters.properties)}."
            )
    try:
        if not wrong:
            entry.deployment()
            for parameters in (entry.parameters, *(schedule.get("parameters", {}) for schedule in entry.schedules)):
                flow.validate_parameters(dict(parameters))
    except (TypeError, ValueError, ParameterTypeError) as error:
        wrong.append(str(error))
    return wrong


async def register_deployments(client: PrefectClient, runner: Runner, entries: Sequence[DeploymentEntry]) -> None:
    """Register every entry with the server, over what an earlier version registered under the same entrypoint and name.

    What ops switched off stays off; a deployment that has left the file is paused, not deleted.
    """
    known = await _known(client)
    await repair_runs(client, {known[entry.key].id: entry.flow for entry in entries if entry.key in known})
    for entry in entries:
        before = known.pop(entry.key, None)
        if before and not entry.schedules:  # Prefect takes "none" for "as before"
            for schedule in before.schedules:
                await client.delete_deployment_schedule(before.id, schedule.id)
        await runner.aadd_deployment(entry.deployment(before))
    for left in known.values():
        if left.entrypoint and left.entrypoint.startswith("flows."):
            await client.pause_deployment(left.id)


async def _known(client: PrefectClient) -> dict[tuple[str, str], DeploymentResponse]:
    """Every deployment on the server, by entrypoint and name."""
    found: list[DeploymentResponse] = []
    while page := await client.read_deployments(limit=PAGE, offset=len(found)):
        found += page
    return {(deployment.entrypoint or "", deployment.name): deployment for deployment in found}


async def serve() -> None:
    """Register the deployments, report it, and execute the runs that are due until asked to stop."""
    entries = read_deployments(settings().deployments)
    runner = Runner(
        name="nurture", limit=MOST_RUNS_AT_ONCE, pause_on_shutdown=False
    )  # pausing would forget what ops paused
    async with get_client() as client:
        await register_deployments(client, runner, entries)
    print(f"{READY}: {len(entries)} deployments", flush=True)
    await runner.start()


if __name__ == "__main__":
    try:
        asyncio.run(serve())
    except DeploymentsError as error:
        sys.exit(str(error))
