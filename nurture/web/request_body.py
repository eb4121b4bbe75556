"""What somebody sends us, read no further than we are willing to listen."""

import asyncio
from urllib.parse import parse_qsl

from fastapi import Request

PATIENCE = 30.0  # seconds for a whole body


async def read_body(request: Request, most: int) -> bytes | None:
    """The whole body, or None as soon as it is larger than `most` bytes or takes too long."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 12 or int(declared) > most:
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    return None
    except TimeoutError:
        return None
    return bytes(body)


def form_of(body: bytes) -> dict[str, str]:
    """The fields of a plain HTML form; anything else is an empty one."""
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        return {}
