"""What every route of the web app needs: settings, database, clock, links and pages."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from nurture.rendering.links import Links
from nurture.runtime import database
from nurture.runtime.clock import Clock
from nurture.runtime.settings import Settings
from nurture.web.pages import Pages

T = TypeVar("T")
TRIES = 3
log = logging.getLogger("nurture.web")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Given to every `routes(web)`: one set for the whole app."""

    settings: Settings
    engine: Engine
    clock: Clock
    links: Links
    pages: Pages

    def now(self) -> datetime:
        """The moment as the installation's clock has it, aware UTC."""
        return self.clock()

    def reading(self) -> AbstractContextManager[Session]:
        """A session that only reads."""
        return database.reading(self.engine)

    def path(self, url: str) -> str:
        """A link of ours without the host: the page works wherever it was opened."""
        return "/" + url.split("/", 3)[3]

    def write(self, work: Callable[[Session], T]) -> T:
        """Do one short transaction; again from the start if the database was busy or chose us in a deadlock."""
        for left in reversed(range(TRIES)):
            try:
                with database.writing(self.engine) as session:
                    return work(session)
            except OperationalError:
                if not left:
                    raise
                log.warning("the database was busy; trying again")
        raise AssertionError("unreachable")
