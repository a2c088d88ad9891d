"""The proxy as `serve` runs it, on loopback, inside the test's own event loop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from proxy.app import App, build
from proxy.config import Settings
from proxy.config_file import loads, override
from proxy.server import HttpServer, listen
from tests.fakes import CHAT, KEY

ENV = {"PROVIDER_KEY": "sk-provider", "TEAM_A": "wg-team-a", "TEAM_B": "wg-team-b", "SPARE_KEY": "sk-spare"}


@dataclass
class Proxy:
    """The proxy, listening on loopback."""

    app: App
    root: str
    session: aiohttp.ClientSession

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    def post(self, body: Any = CHAT, *, path: str = "/chat/completions", key: str = KEY, **headers: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.post(self.base_url + path, data=raw, headers=named)

    async def chat(self, body: Any = CHAT, **more: str) -> tuple[int, dict[str, str], bytes]:
        async with self.post(body, **more) as response:
            return response.status, dict(response.headers), await response.read()


@asynccontextmanager
async def proxy(upstream: str, directory: Path | None = None, config: str = "") -> AsyncIterator[Proxy]:
    """Runs the proxy as `serve` does; with a directory the store is there, else only in memory."""
    settings = loads(config, "test")
    changes: dict[str, Any] = {"upstream.base_url": upstream}
    if directory is None:
        changes["cache.multi_level.l2.enabled"] = False
    else:
        changes["cache.multi_level.l2.persistence_path"] = str(directory / "answers.sqlite")
    async with serving(settings, changes) as running:
        yield running


@asynccontextmanager
async def serving(settings: Settings, changes: dict[str, Any]) -> AsyncIterator[Proxy]:
    settings = override(settings, changes)
    app = await build(settings, ENV)
    server = HttpServer(app.edge, headers=settings.limits.headers, body=settings.limits.body, shutdown=1.0)
    runner, addresses = await listen(server, host="127.0.0.1", port=0, unix=None, reuse_port=False)
    async with aiohttp.ClientSession() as session:
        try:
            yield Proxy(app, addresses[0], session)
        finally:
            await runner.cleanup()
            await app.close(1.0)
