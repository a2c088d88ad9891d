from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.tasks import Tasks
from cache import watch
from cache.file_signature import Signature
from cache.files import Files
from cache.watch import Watch
from tests.cache.contract import Clock

PATIENCE = 60.0
"""Seconds; a test that fails waits so long."""


class Heard:
    """Invalidates nothing; remembers what changed, as the invalidator does."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.fails = 0
        self._paths: asyncio.Queue[str] = asyncio.Queue()

    async def changed(self, moved: Mapping[str, Signature]) -> None:
        if self.fails:
            self.fails -= 1
            raise OSError("not now")
        self.files.forget(moved)
        for path in moved:
            self._paths.put_nowait(path)

    async def next(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return os.path.basename(await self._paths.get())


@pytest.fixture(params=[False, True], ids=["told", "polling"], name="polling")
def _polling(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(Clock(), [tmp_path])


@asynccontextmanager
async def watching(files: Files, polling: bool = False) -> AsyncIterator[Heard]:
    heard, tasks = Heard(files), Tasks()

    async def sleep(seconds: float) -> None:
        assert seconds == (watch.POLL if polling else watch.RETRY_AFTER)
        await asyncio.sleep(0)

    running = Watch(files, heard.changed, sleep, debounce=0.05, force_polling=polling)
    task = tasks.spawn(running.run(), endless=True)
    try:
        yield heard
        assert not task.done()
    finally:
        await tasks.drain(PATIENCE)


def depend(files: Files, *paths: Path) -> None:
    for path in paths:
        files.witnessed(files.labels(str(path)))


async def test_a_file_that_is_written_replaced_or_removed_is_told(tmp_path: Path, files: Files, polling: bool) -> None:
    paths = [tmp_path / name for name in ("written", "replaced", "removed", "made")]
    for path in paths[:3]:
        path.write_text("one")
    async with watching(files, polling) as heard:
        depend(files, *paths)
        paths[0].write_text("longer")
        assert await heard.next() == "written"
        (tmp_path / "unconcerned").write_text("other")
        (tmp_path / "unconcerned").replace(paths[1])
        assert await heard.next() == "replaced"
        paths[2].unlink()
        assert await heard.next() == "removed"
        paths[3].write_text("")
        assert await heard.next() == "made"
        depend(files, paths[0])
        paths[0].write_text("longer still")
        assert await heard.next() == "written"


async def test_directories_come_and_go(tmp_path: Path, files: Files) -> None:
    deep = tmp_path / "a" / "b" / "file"
    async with watching(files) as heard:
        depend(files, deep)
        deep.parent.mkdir(parents=True)
        deep.write_text("one")
        assert await heard.next() == "file"
        depend(files, deep)
        shutil.rmtree(tmp_path / "a")
        assert await heard.next() == "file"
        other = tmp_path / "c" / "other"
        other.parent.mkdir()
        other.write_text("one")
        depend(files, deep, other)
        other.write_text("longer")
        assert await heard.next() == "other"
        depend(files, other)
        other.parent.rename(tmp_path / "d")
        assert await heard.next() == "other"


async def test_what_changed_before_anybody_watched_is_told(tmp_path: Path, files: Files) -> None:
    paths = [tmp_path / str(n) for n in range(600)]
    depend(files, *paths)
    for path in paths:
        path.write_text("")
    async with watching(files) as heard:
        assert {await heard.next() for _ in paths} == {path.name for path in paths}


async def test_what_could_not_be_told_is_told_again(tmp_path: Path, files: Files, polling: bool) -> None:
    async with watching(files, polling) as heard:
        heard.fails = 2
        depend(files, tmp_path / "a")
        (tmp_path / "a").write_text("one")
        assert await heard.next() == "a"


async def test_closing_ends_the_thread(tmp_path: Path, files: Files) -> None:
    before = threading.active_count()
    async with watching(files) as heard:
        depend(files, tmp_path / "a")
        (tmp_path / "a").write_text("one")
        await heard.next()
        depend(files, tmp_path / "a")
    await asyncio.get_running_loop().shutdown_default_executor()
    assert [each.name for each in threading.enumerate() if "watch" in each.name] == []
    assert threading.active_count() <= before + 1  # one that waits for work of anybody
