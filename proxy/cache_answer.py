"""Answers of the doors of the cache, as HTTP."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from proxy.purge_told import Answered
from proxy.respond import SERVER

Lines = Iterable[tuple[str, str]]


def told(answered: Answered, lines: Lines = ()) -> web.Response:
    """As JSON; `lines` are further header lines."""
    own = (("Content-Type", "application/json"), ("Server", SERVER))
    return given(answered.status, msgspec.json.encode(answered.told), (*own, *lines))


def given(status: int, body: bytes, lines: Lines) -> web.Response:
    """Bytes as they are."""
    return web.Response(status=status, headers=CIMultiDict(lines), body=body)
