from __future__ import annotations

import gc
from pathlib import Path

import pytest

from cache.level import Share
from cache.level_building import disk_of, memory_of
from cache.level_config import CacheLevelConfig
from tests.cache.contract import Clock, entry_of, key_of


class Owner:
    pass


def below(path: Path, pattern: str = "**/*") -> list[str]:
    return sorted(each.name for each in path.glob(pattern))


async def test_each_level_is_as_it_was_described(tmp_path: Path) -> None:
    clock = Clock()
    l1 = CacheLevelConfig(7, 30, "fifo", max_bytes=5000, namespaces={"tool": Share(max_size=1)})
    l2 = CacheLevelConfig(70, 300, enable_persistence=True, persistence_path=tmp_path / "deep" / "cache.db")
    memory, (disk, log) = memory_of(l1, clock), disk_of(l2, clock, Owner())
    assert memory is not None
    assert disk is not None
    assert log is not None
    assert (memory.max_size, memory.max_bytes, memory.ttl, disk.ttl) == (7, 5000, 30, 300)
    for number in range(3):
        memory.put(entry_of(number, clock, namespace="tool"))
    assert memory.held() == [key_of(2)]
    assert below(tmp_path) == [], "nothing is opened yet"
    await disk.open()
    assert await disk.put(entry_of(1, clock)) is True
    await disk.close()
    assert log.path == tmp_path / "deep" / "cache.db.invalidations"


async def test_a_temporary_file_goes_with_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    owner = Owner()
    disk, log = disk_of(CacheLevelConfig(), Clock(), owner)
    assert disk is not None
    assert log is None
    await disk.open()
    assert await disk.put(entry_of(1, Clock())) is True
    await disk.close()
    assert below(tmp_path, "*/cache.db") == ["cache.db"]
    del owner
    gc.collect()
    assert below(tmp_path) == []


def test_nothing_is_nothing() -> None:
    assert memory_of(None, Clock()) is None
    assert disk_of(None, Clock(), Owner()) == (None, None)
