"""The web app: every door of this installation, put together."""

import logging

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from nurture.rendering.links import links_for
from nurture.runtime import database
from nurture.runtime.settings import Settings
from nurture.web import events, groups, library, mailbox, sales, unsubscribe
from nurture.web.dependencies import Dependencies
from nurture.web.middleware import HEADERS, SecurityHeadersMiddleware, is_local
from nurture.web.pages import Pages

log = logging.getLogger("nurture.web")


def create_app(settings: Settings, engine: Engine) -> FastAPI:
    """The doors on this database. The mailbox is one of them only while mail goes to the mailbox."""
    app = FastAPI(title="nurture", openapi_url=None, docs_url=None, redoc_url=None)
    web = Dependencies(settings, engine, settings.clock, links_for(settings), Pages(settings))
    app.include_router(events.routes(web))
    app.include_router(unsubscribe.routes(web))
    app.include_router(sales.routes(web))
    app.include_router(groups.routes(web))
    app.include_router(library.routes(web))
    if settings.channel == "mailbox":
        app.include_router(mailbox.routes(web))

    @app.api_route("/", methods=["GET", "HEAD"])
    def home(request: Request) -> Response:
        doors = {"mailbox": settings.channel == "mailbox", "prefect_port": settings.prefect_port}
        return web.pages.page("home.html", {"is_local": is_local(request), **doors})

    @app.api_route("/health", methods=["GET", "HEAD"])
    def health() -> Response:
        """200 when the database answers and has the tables this program expects, else 503."""
        try:
            has, needs = database.revision(engine.execution_options(sqlite_begin="DEFERRED"))
        except SQLAlchemyError:
            return JSONResponse({"database": "unreachable", "migration": "unknown"}, 503)
        current = has == needs
        return JSONResponse(
            {
                "database": "ok",
                "migration": "current" if current else "run `nurture up`, it brings the tables up to date",
            },
            200 if current else 503,
        )

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        page = {404: "There is nothing here.", 405: "This door does not open that way."}
        text = page.get(error.status_code, error.detail)
        return PlainTextResponse(text, error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        text = "Something went wrong here, and nothing was changed. Please try again in a minute."
        return PlainTextResponse(text, 500, headers=HEADERS)  # made outside the middleware

    app.add_middleware(SecurityHeadersMiddleware)
    return app


def serve(settings: Settings) -> None:
    """Open the doors until somebody says stop. Only this machine can knock; a web server in front brings the others."""
    import uvicorn

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
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
