"""The web app: every route of this installation, put together."""

import logging
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from nurture.rendering.links import links_for
from nurture.runtime import database
from nurture.runtime.log import configure_service
from nurture.runtime.settings import Settings
from nurture.web import events, groups, library, mailbox, sales, unsubscribe
from nurture.web.dependencies import Dependencies
from nurture.web.middleware import HEADERS, SecurityHeadersMiddleware, is_local
from nurture.web.pages import Pages

log = logging.getLogger("nurture.web")


@dataclass(frozen=True, slots=True)
class HomePage:
    """What home.html shows; the links only to somebody at this machine."""

    is_local: bool
    mailbox: bool
    prefect_port: int


def create_app(settings: Settings, engine: Engine) -> FastAPI:
    """The routes on this database. The mailbox is one of them only while mail goes to the mailbox."""
    app = FastAPI(title="nurture", openapi_url=None, docs_url=None, redoc_url=None)
    web = Dependencies(settings, engine, settings.clock, links_for(settings), Pages(settings))
    for part in (events, unsubscribe, sales, groups, library):
        app.include_router(part.routes(web))
    if settings.channel == "mailbox":
        app.include_router(mailbox.routes(web))

    @app.api_route("/", methods=["GET", "HEAD"])
    def home(request: Request) -> Response:
        values = HomePage(is_local(request), settings.channel == "mailbox", settings.prefect_port)
        return web.pages.page("home.html", values)

    @app.api_route("/health", methods=["GET", "HEAD"])
    def health() -> Response:
        return _health(engine)

    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(SecurityHeadersMiddleware)
    return app


def _health(engine: Engine) -> Response:
    """200 when the database answers and has the tables this program expects, else 503."""
    try:
        has, needs = database.revision(engine.execution_options(sqlite_begin="DEFERRED"))
    except SQLAlchemyError:
        return JSONResponse({"database": "unreachable", "migration": "unknown"}, 503)
    current = has == needs
    migration = "current" if current else "run `nurture up`, it brings the tables up to date"
    return JSONResponse({"database": "ok", "migration": migration}, 200 if current else 503)


async def _refused(request: Request, error: Exception) -> Response:
    """What we say no to, in words of ours."""
    if not isinstance(error, HTTPException):
        raise error
    page = {404: "There is nothing here.", 405: "This page cannot be asked that way."}
    text = page.get(error.status_code, error.detail)
    return PlainTextResponse(text, error.status_code, headers=error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """A fault of ours: it says nothing about us. Made outside the middleware, so it brings the headers itself."""
    text = "Something went wrong here, and nothing was changed. Please try again in a minute."
    return PlainTextResponse(text, 500, headers=HEADERS)


def serve(settings: Settings) -> None:
    """Serve the web app until it is stopped. Only this machine can reach it; a web server in front brings others."""
    import uvicorn

    configure_service(settings.log)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # asked by every look at /health
    uvicorn.run(
        create_app(settings, database.engine_at(settings.database)),
        host="127.0.0.1",
        port=settings.web_port,
        access_log=False,  # ours masks the tokens
        log_config=None,
        server_header=False,
        timeout_keep_alive=30,
        limit_concurrency=200,
    )
