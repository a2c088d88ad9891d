"""An analysis of a file, kept in a running proxy for as long as the file stays as it is.

    warmgate serve --config FILE &          # with cache.invalidation.files: the directories that may be depended upon
    python scripts/examples/file_analysis.py http://127.0.0.1:4100 some/module.py

Proxy and file are on the same machine. When and how large the file was is told as of before it was read: one that
changes while it is analysed is then not kept. Without a file a small one is made, analysed twice, changed, and analysed
again. The credential is that of every other request ($OPENAI_API_KEY).
"""

from __future__ import annotations

import ast
import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

VERSION = 1
"""Of the analysis: another one is kept under another key."""


def outline(text: str) -> dict[str, Any]:
    """What stands for an analysis that is worth keeping."""
    tree = ast.parse(text)
    named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {"lines": len(text.splitlines()), "names": [node.name for node in ast.walk(tree) if isinstance(node, named)]}


def read(file: Path) -> tuple[str, os.stat_result]:
    """What it says, and what it was before it was read."""
    before = file.stat()
    return file.read_text(), before


async def analysed(session: aiohttp.ClientSession, url: str, file: Path) -> tuple[dict[str, Any], str]:
    """The analysis, and where it came from. `file`: by its absolute path."""
    path = str(file)
    where = URL(f"{url.rstrip('/')}/cache/v1/file/outline-{VERSION}/{quote(path.lstrip('/'), safe='')}", encoded=True)
    async with session.get(where) as response:
        if response.status == 200:
            return await response.json(), response.headers["Cache-Status"].rpartition("detail=")[2]
        mark = response.headers.get("X-Warmgate-Mark", "")
    text, before = await asyncio.to_thread(read, file)
    found = outline(text)
    depends = f"file:{quote(path)};mtime={before.st_mtime_ns};size={before.st_size}"
    lines = {"X-Warmgate-Depends": depends, "Cache-Tags": "analysis:outline", "X-Warmgate-Mark": mark}
    async with session.put(where, json=found, headers=lines) as response:
        told = await response.json()
    if response.status >= 400:
        return found, f"analysed, not kept: {told['error']['message']}"
    return found, "analysed" if told["stored"] else f"analysed, not kept: {told['why']}"


async def main(url: str, file: Path | None) -> None:
    lines = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}
    with tempfile.TemporaryDirectory() as directory:
        shown = file or Path(directory, "module.py")
        if file is None:
            shown.write_text("def one(): ...\n")
        async with aiohttp.ClientSession(headers=lines) as session:
            for _ in range(2):
                found, source = await analysed(session, url, shown)
                print(f"{shown.name}: {', '.join(found['names']) or 'nothing'} ({source})")
            if file is None:
                shown.write_text("def one(): ...\ndef two(): ...\n")
                found, source = await analysed(session, url, shown)
                print(f"{shown.name}, changed: {', '.join(found['names'])} ({source})")


if __name__ == "__main__":
    base = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4100"
    asyncio.run(main(base, Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None))
