"""The examples in `scripts/examples` do what they say, against a proxy."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.proxy.desks import Doors, doors

EXAMPLES = Path(__file__).resolve().parents[2] / "scripts" / "examples"


async def ran(name: str, *arguments: str, key: str = "sk-one") -> list[str]:
    """The lines that it prints."""
    env = os.environ | {"OPENAI_API_KEY": key}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / name), *arguments, env=env, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    return out.decode().splitlines()


async def kept(there: Doors) -> int:
    status, told = await there.ask({"everything": True, "dry_run": True}, "/cache/purge")
    assert status == 200
    return int(told["would_delete"])


async def test_a_tool_is_called_once_until_it_changes() -> None:
    async with doors("simulated") as there:
        assert await ran("tool_result.py", there.ours.root) == [
            "Paris: 5 degrees (called)",
            "Paris: 5 degrees (l1)",
            "Oslo: 4 degrees (called)",
            "cleared by the category: 2",
            "Paris: called",
            "cleared by the event: 1",
            "Paris: called",
        ]
        assert await kept(there) == 0


async def test_an_analysis_goes_when_its_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "own, file.py"
    file.write_text("class A: ...\n")
    async with doors("simulated") as there:
        assert await ran("file_analysis.py", there.ours.root) == [
            "module.py: one (analysed)",
            "module.py: one (l1)",
            "module.py, changed: one, two (analysed)",
        ]
        assert await ran("file_analysis.py", there.ours.root, str(file)) == [
            "own, file.py: A (analysed)",
            "own, file.py: A (l1)",
        ]
        file.write_text("class B: ...\n")
        lines = await ran("file_analysis.py", there.ours.root, str(file))
        assert lines == ["own, file.py: B (analysed)", "own, file.py: B (l1)"]
        assert (await ran("file_analysis.py", there.ours.root, str(file), key="sk-two"))[0].endswith("(analysed)")


async def test_an_analysis_that_may_not_be_kept_is_made_all_the_same(tmp_path: Path) -> None:
    async with doors("simulated") as there:
        there.desk.values = None
        lines = await ran("file_analysis.py", there.ours.root)
        assert lines[0] == "module.py: one (analysed, not kept: values of applications are not kept here)"
