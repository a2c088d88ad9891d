"""Results of tools, kept in a running proxy: the same call is made once, until its time is up or the tool changes.

    warmgate serve &
    python scripts/examples/tool_result.py http://127.0.0.1:4100

A result is kept under the name of its tool and a digest of the arguments, with a tag for the tool and one for its
category, so that both can be cleared as a whole. The credential is that of every other request ($OPENAI_API_KEY): who
has another one sees other results. Where no proxy answers, the tool is simply called.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp

Tool = Callable[..., Awaitable[Any]]


class ToolResults:
    """`categories`: tags by tool, beside its own."""

    def __init__(self, session: aiohttp.ClientSession, url: str, categories: dict[str, list[str]], ttl: int) -> None:
        self.session, self.url, self.categories, self.ttl = session, url.rstrip("/"), categories, ttl

    async def call(self, tool: Tool, **arguments: Any) -> tuple[Any, str]:
        """The result, and where it came from."""
        name = tool.__name__
        asked = json.dumps(arguments, sort_keys=True, separators=(",", ":"))
        where = f"{self.url}/cache/v1/tool/{name}/{hashlib.sha256(asked.encode()).hexdigest()}"
        try:
            async with self.session.get(where) as response:
                if response.status == 200:
                    return await response.json(), response.headers["Cache-Status"].rpartition("detail=")[2]
                mark = response.headers.get("X-Warmgate-Mark", "")
        except aiohttp.ClientError:
            return await tool(**arguments), "called, no proxy"
        result = await tool(**arguments)
        await self._keep(where, result, [f"tool:{name}", *self.categories.get(name, [])], mark)
        return result, "called"

    async def _keep(self, where: str, result: Any, tags: list[str], mark: str) -> None:
        """The mark says when this began: what is cleared meanwhile is not kept, although it was not there yet."""
        lines = {"Cache-Control": f"max-age={self.ttl}", "Cache-Tags": ",".join(tags), "X-Warmgate-Mark": mark}
        # Where this fails the next one calls the tool again.
        with suppress(aiohttp.ClientError):
            async with self.session.put(where, json=result, headers=lines):
                pass

    async def changed(self, name: str) -> int:
        """The tool answers otherwise from now on: how many of its results went."""
        event = {"kind": "tool_changed", "name": name}
        async with self.session.post(f"{self.url}/cache/events", json=event) as response:
            response.raise_for_status()
            return int((await response.json())["deleted"])

    async def clear(self, tag: str) -> int:
        async with self.session.request("PURGE", f"{self.url}/cache/tags/{tag}") as response:
            response.raise_for_status()
            return int((await response.json())["deleted"])


async def weather(city: str, unit: str = "celsius") -> dict[str, Any]:
    """A tool that takes its time."""
    await asyncio.sleep(0.2)
    return {"city": city, "unit": unit, "degrees": len(city)}


async def main(url: str) -> None:
    lines = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}
    async with aiohttp.ClientSession(headers=lines) as session:
        results = ToolResults(session, url, {"weather": ["category:outside"]}, ttl=600)
        for arguments in ({"city": "Paris"}, {"city": "Paris"}, {"city": "Oslo"}):
            result, source = await results.call(weather, **arguments)
            print(f"{arguments['city']}: {result['degrees']} degrees ({source})")
        print(f"cleared by the category: {await results.clear('category:outside')}")
        _, source = await results.call(weather, city="Paris")
        print(f"Paris: {source}")
        print(f"cleared by the event: {await results.changed('weather')}")
        _, source = await results.call(weather, city="Paris")
        print(f"Paris: {source}")
        await results.clear("tool:weather")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4100"))
