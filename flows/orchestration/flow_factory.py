"""How a flow is made: its name, the name of its runs, its shards, and what a failed run tells ops."""

import functools
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, ParamSpec, TypeVar

from prefect import Flow, State, flow, runtime
from prefect.futures import wait
from prefect.logging import get_run_logger
from prefect.states import Completed
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import AwareDatetime, Field
from sqlalchemy.exc import DBAPIError

from models.bulk_upsert import DataclassRow, fields_of
from nurture.runtime import log
from nurture.runtime.settings import settings
from tasks.task import Task

P = ParamSpec("P")
R = TypeVar("R")
Result = TypeVar("Result")

At = AwareDatetime | None
Shards = Annotated[int, Field(ge=1, le=256)]
Minutes = Annotated[int, Field(ge=1, le=10_080)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")] | None

MOST_SHARDS_AT_ONCE = 4  # of one run; more would only wait for each other's write lock


class Trouble(Exception):
    """A person has to do something. The text says what; it becomes the message of the failed run."""


def noun_flow(run_name: str) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Make a function the Prefect flow of its noun. `run_name` may use the parameters: ids and counts, never people.

    No retries: what is unfinished is in the database, and the next scheduled run finds it there.
    """

    def name() -> str:
        asked = runtime.flow_run.parameters
        return run_name.format(**{key: "all campaigns" if value is None else value for key, value in asked.items()})

    def make(function: Callable[P, R]) -> Flow[P, R]:
        side_by_side: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=MOST_SHARDS_AT_ONCE)
        made = flow(
            name=function.__name__,
            flow_run_name=name,
            persist_result=False,
            task_runner=side_by_side,  # type: ignore[arg-type]  # Prefect's own runner does not fit Prefect's own type
        )
        return made(_with_database_errors_described(function))

    return make


def _with_database_errors_described(function: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        log.configure(settings().log)
        try:
            with log.forwarded(get_run_logger()):
                return function(*args, **kwargs)
        except DBAPIError as error:
            raise Trouble(describe_error(error)) from error

    return run


def describe_error(error: Exception) -> str:
    """What ops can do about it. Only our own errors speak for themselves: those of others may quote a person's row."""
    if isinstance(error, DBAPIError):
        said = str(error.orig).strip().splitlines()[0]  # the lines below it are the row
        return f"The database says: {said}. Nothing half done was kept; `nurture doctor` tells more."
    if type(error).__module__.split(".")[0] in ("nurture", "flows"):
        return str(error)
    return f"{type(error).__name__}, which nobody foresaw: the log of this run tells where. Please report it."


def moment_to_act(at: datetime | None) -> datetime:
    """The moment as which a run acts: the one asked for, else now."""
    return at or settings().clock()


def run_shards(shards: int, task: Task[..., Result], *args: Any) -> list[Result]:
    """Run the task once per shard, side by side, and wait for them all."""
    futures = [task.prefect_task.submit(*args, shard=shard, shards=shards) for shard in range(shards)]
    wait(futures)
    return [future.result() for future in futures]


def add_counts(results: Iterable[DataclassRow]) -> dict[str, int]:
    """The whole numbers of tasks' results, added up field by field."""
    sums: dict[str, int] = {}
    for result in results:
        for name in fields_of(result):
            value = getattr(result, name)
            if isinstance(value, int):
                sums[name] = sums.get(name, 0) + value
    return sums


def completed(counts: dict[str, int], *order: str, more: str = "") -> State[None]:
    """Completed, with the counts that matter as the words beside it in the list of runs: "4,912 leads, 17 best"."""
    words = ", ".join(f"{counts.get(name, 0):,} {name.replace('_', ' ')}" for name in order or counts)
    return Completed(message=f"{words}; {more}" if more else words)


def raise_trouble(troubles: Sequence[str]) -> None:
    """At the end of a run that went on despite them: one campaign's mistake does not hold the others."""
    if troubles:
        raise Trouble(" · ".join(troubles))
