"""`warmgate cache` as a test runs it."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
from typing import Any

from aiohttp import web

from proxy.cache_command import add, run
from proxy.purge_store import Opens
from tests.fakes import Provider, Seen, provider
from tests.proxy.desks import Doors


def command(*arguments: str, opens: Opens | None = None, **env: str) -> tuple[int, str, str]:
    """Exit code, output, errors."""
    parser = argparse.ArgumentParser()
    add(parser.add_subparsers())
    out, err = io.StringIO(), io.StringIO()
    code = run(parser.parse_args(["cache", *arguments]), {"OPENAI_API_KEY": "sk-one"} | env, out, err, opens)
    return code, out.getvalue(), err.getvalue()


async def against(told: Any, *arguments: str, status: int = 200, **env: str) -> tuple[tuple[int, str, str], Provider]:
    """The command against a proxy that says this."""

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        return web.Response(status=status, body=body, headers={"Content-Type": "application/json"})

    async with provider(script) as fake:
        return await asyncio.to_thread(command, *arguments, "--url", fake.base_url, **env), fake


async def at(there: Doors, *arguments: str) -> tuple[int, str, str]:
    """The command against the proxy itself."""
    return await asyncio.to_thread(command, *arguments, "--url", there.ours.root)
