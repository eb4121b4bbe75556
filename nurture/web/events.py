"""SendGrid's events come in here: checked, written down for good, and only then answered."""

import logging

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from models import event
from nurture.channels.sendgrid.events import SIGNATURE, TIMESTAMP, NotEvents, genuine, public_keys, read_events
from nurture.web.dependencies import Dependencies
from nurture.web.request_body import read_body

MOST_BYTES = 4_000_000  # SendGrid posts up to 768 kB
log = logging.getLogger("nurture.web")


def routes(web: Dependencies) -> APIRouter:
    """`POST /events/sendgrid`."""
    router = APIRouter()
    keys = public_keys(web.settings.sendgrid_webhook_key)
    if not keys:
        log.warning("SENDGRID_WEBHOOK_KEY is empty: events from SendGrid are refused until it is set")

    @router.post("/events/sendgrid")
    async def receive(request: Request) -> Response:
        """204: written. 403: not SendGrid, whatever the fault. 400: signed, but no events. 413: too large."""
        body = await read_body(request, MOST_BYTES)
        if body is None:
            return Response(status_code=413)
        signature, timestamp = request.headers.get(SIGNATURE), request.headers.get(TIMESTAMP)
        return Response(status_code=await run_in_threadpool(_keep, signature, timestamp, body))

    def _keep(signature: str | None, timestamp: str | None, body: bytes) -> int:
        if not genuine(keys, signature, timestamp, body):
            return 403
        try:
            rows = read_events(body, web.now())
        except NotEvents:
            return 400
        new = web.write(lambda session: event.keep(session, rows))
        log.info("%d events, %d of them new", len(rows), new)
        return 204

    return router
