from __future__ import annotations

from pathlib import Path

import pytest

from cache.redis_place import Place


def test_the_last_one_written_is_read(tmp_path: Path) -> None:
    place = Place(tmp_path / "heard")
    assert place.read() is None
    for id in ("0-0", "1800000000000-12"):
        place.write(id)
        assert Place(tmp_path / "heard").read() == id
    assert [path.name for path in tmp_path.iterdir()] == ["heard"]


@pytest.mark.parametrize("text", [b"", b"-", b"1", b"1-", b"a-b", b"1-2-3", b"\xff\xfe", b"1-2\n3", b"9" * 1000])
def test_what_is_no_place_is_none(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "heard").write_bytes(text)
    assert Place(tmp_path / "heard").read() is None


def test_a_disk_that_takes_nothing_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = Place(tmp_path / "missing" / "heard")
    for _ in range(3):
        place.write("1-1")
    assert place.read() is None
    assert len(caplog.records) == 1
