"""What the proxy tells of itself beside answering: whether it lives, whether it takes requests, and its metrics."""

from __future__ import annotations

from aiohttp import web

from proxy.config import Settings
from proxy.edge import Edge, Operation
from proxy.metrics import CONTENT_TYPE, Metrics, exposition
from proxy.peers import Peers
from proxy.respond import SERVER

OURS = {"Server": SERVER}


def operations(settings: Settings, edge: Edge, metrics: Metrics, peers: Peers | None) -> dict[str, Operation]:
    async def healthz() -> web.Response:
        return web.json_response({"status": "ok"}, headers=OURS)

    async def readyz() -> web.Response:
        draining = edge.gate.draining
        return web.json_response(
            {"status": "draining" if draining else "ready"}, status=503 if draining else 200, headers=OURS
        )

    async def scrape() -> web.Response:
        metrics.in_flight = edge.gate.in_flight
        page = exposition(peers.all() if peers else metrics)
        return web.Response(body=page, headers=OURS | {"Content-Type": CONTENT_TYPE})

    pages: dict[str, Operation] = {"/healthz": healthz, "/readyz": readyz}
    if settings.metrics.enabled:
        pages["/metrics"] = scrape
    return pages
