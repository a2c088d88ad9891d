from __future__ import annotations

import os
from pathlib import Path

import pytest

from cache.file_signature import ABSENT, LOOKED_AT, ReadAt, Signature, read_at, same, signature_of, young

NOW = 1_800_000_000.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("one")
    os.utime(path, (NOW, NOW))
    return path


def rewrite(path: Path, text: str, at: float) -> None:
    """In place, and with that time of change."""
    path.write_text(text)
    os.utime(path, (at, at))


def test_a_file_is_the_same_until_it_is_written_replaced_or_removed(file: Path) -> None:
    known = signature_of(str(file))
    assert (known.size, known.mtime_ns, known.digest) == (3, int(NOW * 1e9), b"")
    assert same(known, str(file))
    rewrite(file, "two", NOW + 1)
    assert not same(known, str(file))
    rewrite(file, "longer", NOW)
    assert not same(known, str(file))
    rewrite(file, "one", NOW)
    assert same(known, str(file))
    other = file.with_name("other")
    rewrite(other, "one", NOW)
    other.replace(file)
    assert not same(known, str(file))
    file.unlink()
    assert not same(known, str(file))


def test_a_young_file_is_known_by_its_content_as_well(file: Path) -> None:
    """Written twice within a step of the file system's clock, to the same size."""
    known = signature_of(str(file), NOW + 0.5)
    assert known.digest
    assert same(known, str(file))
    rewrite(file, "two", NOW)
    assert not same(known, str(file))
    assert same(signature_of(str(file), NOW + 2.5), str(file))
    assert not signature_of(str(file), NOW + 2.5).digest
    assert not signature_of(str(file), NOW - 100).digest
    assert [young(known, NOW + wait) for wait in (-3, -1, 0, 1, 3)] == [False, True, True, True, False]


def test_of_a_long_file_the_beginning_is_looked_at(file: Path) -> None:
    rewrite(file, "x" * LOOKED_AT + "a", NOW)
    known = signature_of(str(file), NOW)
    rewrite(file, "x" * LOOKED_AT + "b", NOW)
    assert same(known, str(file))
    rewrite(file, "y" * (LOOKED_AT + 1), NOW)
    assert not same(known, str(file))


@pytest.mark.parametrize("name", ["missing", "file/below", "loop", "nul\0", "x" * 300])
def test_what_can_not_be_looked_at_is_absent(name: str, file: Path) -> None:
    (file.parent / "loop").symlink_to(file.parent / "loop")
    path = f"{file.parent}/{name}"
    assert signature_of(path) == signature_of(path, NOW) == ABSENT
    assert same(ABSENT, path)
    assert not young(ABSENT, 0.0)
    assert not same(ABSENT, str(file))


@pytest.mark.parametrize(
    ("text", "path", "told"),
    [
        ("file:/a", "file:/a", None),
        ("file:/a;mtime=12", "file:/a", ReadAt(12)),
        ("file:/a;size=3;mtime=12", "file:/a", ReadAt(12, 3)),
        ("file:/a;b;size=0", "file:/a;b", ReadAt(None, 0)),
        ("file:/a;mtime=x", "file:/a;mtime=x", None),
        ("file:/a;mtime=12;", "file:/a;mtime=12;", None),
        ("file:/a;mtime=1;mtime=2", "file:/a", ReadAt(2)),
        ("file:/a\n;size=1", "file:/a\n", ReadAt(None, 1)),
        ("tag;mtime=12", "tag;mtime=12", None),
        ("", "", None),
        ("file:/a;mtime=" + "9" * 30, "file:/a;mtime=" + "9" * 30, None),
    ],
)
def test_what_somebody_read_is_told_behind_the_path(text: str, path: str, told: ReadAt | None) -> None:
    assert read_at(text) == (path, told)


def test_what_was_read_is_compared_as_far_as_it_was_told() -> None:
    signature = Signature(12, 3, 1)
    assert all(told.is_of(signature) for told in (ReadAt(), ReadAt(12), ReadAt(None, 3), ReadAt(12, 3)))
    assert not any(told.is_of(signature) for told in (ReadAt(11), ReadAt(12, 4), ReadAt(None, 0)))
