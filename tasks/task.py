"""A task: a plain function for the command line and the tests, and the same as a Prefect task for the flows."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    import prefect

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Task(Generic[P, R_co]):
    """Call it and it runs, here and now, with no server. Its `prefect_task` is the Prefect task of the same function.

    Prefect is imported only when a flow asks for that: importing it takes 1.5 s, and `nurture why` has ten.
    No retries and no cache: what is unfinished is in the database, and the next scheduled run finds it there.
    """

    def __init__(self, function: Callable[P, R_co], run_name: str | None) -> None:
        self.function = function
        self.run_name = run_name
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.function(*args, **kwargs)

    @functools.cached_property
    def prefect_task(self) -> "prefect.Task[P, R_co]":
        """The same function as a task that Prefect runs, shows and logs; made once."""
        from prefect import task as as_prefect_task
        from prefect.cache_policies import NO_CACHE

        made = as_prefect_task(cache_policy=NO_CACHE, persist_result=False, task_run_name=self.run_name)
        return made(self.function)


def task(run_name: str | None = None) -> Callable[[Callable[P, R_co]], Task[P, R_co]]:
    """Make a function a task. `run_name` may use its parameters: ids and counts, never people."""
    return lambda function: Task(function, run_name)
