"""What models can do, asked of the provider itself: `GET /models` of Anthropic's API carries it (read 2026-11)."""

from __future__ import annotations

import logging
from contextlib import aclosing

import msgspec
from multidict import CIMultiDict

from adapters.body import mapping
from adapters.capabilities import Capabilities, from_api
from adapters.errors import Torn, UpstreamError
from adapters.vocabulary import Call, Handler

ALL = "/models?limit=1000"
"""As many as one page may have; there are some thirty."""

log = logging.getLogger("warmgate.learning")


async def capabilities_at(ask: Handler) -> dict[str, Capabilities]:
    """By the models' names; empty where the provider can't be asked, or says nothing that can be read. `ask` brings
    the credential along."""
    try:
        reply = await ask(Call("GET", ALL, CIMultiDict(), b""))
        async with aclosing(reply.frames):
            raw = b"".join([frame.raw async for frame in reply.frames])
        listed = mapping(msgspec.json.decode(raw)).get("data") if reply.status < 300 else None
    except (UpstreamError, Torn, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        log.warning("what models can do could not be asked (%s); the built-in table counts", type(error).__name__)
        return {}
    models = map(mapping, listed) if isinstance(listed, list) else ()
    return {info["id"]: from_api(info) for info in models if isinstance(info.get("id"), str)}
