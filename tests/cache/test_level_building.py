from __future__ import annotations

import gc
from pathlib import Path

import pytest

from adapters.tasks import Tasks
from cache.level import Share
from cache.level_building import Built, built
from cache.level_config import CacheLevelConfig
from tests.cache.contract import Clock, entry_of, key_of


class Owner:
    pass


def building(l1: CacheLevelConfig | None, l2: CacheLevelConfig | None, owner: object) -> Built:
    return built(l1, l2, None, clock=Clock(), tasks=Tasks(), grace=0.0, owner=owner)


def below(path: Path, pattern: str = "**/*") -> list[str]:
    return sorted(each.name for each in path.glob(pattern))


async def test_each_level_is_as_it_was_described(tmp_path: Path) -> None:
    clock = Clock()
    l1 = CacheLevelConfig(7, 30, "fifo", max_bytes=5000, namespaces={"tool": Share(max_size=1)})
    l2 = CacheLevelConfig(70, 300, enable_persistence=True, persistence_path=tmp_path / "deep" / "cache.db")
    made = built(l1, l2, None, clock=clock, tasks=Tasks(), grace=0.0, owner=Owner())
    assert made.l1 is not None
    assert made.l2 is not None
    assert made.log is not None
    assert (made.l1.max_size, made.l1.max_bytes, made.l1.ttl, made.l2.ttl, made.l3) == (7, 5000, 30, 300, None)
    for number in range(3):
        made.l1.put(entry_of(number, clock, namespace="tool"))
    assert made.l1.held() == [key_of(2)]
    assert below(tmp_path) == [], "nothing is opened yet"
    await made.l2.open()
    assert await made.l2.put(entry_of(1, clock)) is True
    await made.l2.close()
    assert made.log.path == tmp_path / "deep" / "cache.db.invalidations"


async def test_a_temporary_file_goes_with_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    owner = Owner()
    made = building(None, CacheLevelConfig(), owner)
    assert made.l2 is not None
    assert (made.l1, made.log) == (None, None)
    await made.l2.open()
    assert await made.l2.put(entry_of(1, Clock())) is True
    await made.l2.close()
    assert below(tmp_path, "*/cache.db") == ["cache.db"]
    del owner
    gc.collect()
    assert below(tmp_path) == []


def test_nothing_is_nothing() -> None:
    assert building(None, None, Owner()) == (None, None, None, None)
    with pytest.raises(ValueError, match="the third level needs a url"):
        built(None, None, CacheLevelConfig(), clock=Clock(), tasks=Tasks(), grace=0.0, owner=Owner())
