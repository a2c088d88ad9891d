"""A provider that sends the recorded pairs of `tests/adapters/data`: whole, streamed, and streamed with usage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aiohttp import web

from adapters.sse import Splitter
from tests.fakes import Seen, send

DATA = Path(__file__).parent / "adapters" / "data"
PAIRS = sorted(path.stem for path in DATA.glob("*.sse"))


def whole(name: str) -> bytes:
    return (DATA / f"{name}.json").read_bytes()


def events(name: str, *, usage: bool) -> list[bytes]:
    """The recorded stream; without usage as OpenAI sends it: neither the chunk of its own nor the nulls before it.

    Usage that a provider sends unasked (beside choices, or in a member of its own) stays.
    """
    frames = Splitter().feed((DATA / f"{name}.sse").read_bytes())
    if usage:
        return [frame.raw for frame in frames]
    sent = []
    for frame in frames:
        chunk = frame.json() if (frame.data or b"").startswith(b"{") else {}
        if chunk.get("usage") is not None and not chunk["choices"]:
            continue
        sent.append(frame.raw.replace(b',"usage":null', b"").replace(b', "usage": null', b""))
    return sent


async def recorded(request: web.Request, seen: Seen) -> web.StreamResponse:
    """The script: the model's name is the pair's."""
    if seen.path == "/v1/models":
        return web.json_response({"object": "list", "data": []})
    body: dict[str, Any] = json.loads(seen.body)
    if not body.get("stream"):
        headers = {"Content-Type": "application/json", "x-request-id": "req_whole"}
        return web.Response(body=whole(body["model"]), headers=headers)
    asked = bool((body.get("stream_options") or {}).get("include_usage"))
    return await send(request, events(body["model"], usage=asked))
