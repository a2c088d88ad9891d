from __future__ import annotations

from pathlib import Path

import pytest

from cache.invalidation import Invalidation
from cache.invalidation_file import Foreign, LogFile
from cache.invalidation_lines import BASE, COUNT, HEADER, Unheard

WHAT = Invalidation(labels=("a",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_who_died_between_the_two_numbers_of_a_cut_is_finished_by_the_next(path: Path) -> None:
    one, other = LogFile(path, 4000), LogFile(path, 4000)
    for file in (one, other):
        with file.alone():
            file.read()
            assert file.write(WHAT)
    one.read()
    one.words[BASE] = 3  # and the count not yet
    assert one.read() == (True, [])
    assert one.words[COUNT] == 3
    with one.alone():
        assert one.write(WHAT)
    assert other.read() == (True, [WHAT])
    assert LogFile(path, 4000).read() == (False, [WHAT])


def test_who_holds_a_file_may_hold_it_again(path: Path) -> None:
    one = LogFile(path, 4000)
    with one.alone():
        with one.alone():
            pass
        one.read()
        assert one.write(WHAT)
    one.close()


def test_a_file_that_is_set_aside_is_so_for_all(path: Path) -> None:
    one, other = LogFile(path, 4000), LogFile(path, 4000)
    assert not one.stale
    target = one.set_aside("damaged", 7.0)
    assert (target.name, path.exists()) == ("log.damaged-7", False)
    path.write_bytes(target.read_bytes())
    assert one.stale
    assert other.stale
    for file in (one, other, LogFile(path, 4000)):
        with pytest.raises(Unheard):
            file.read()


def test_what_is_no_log_is_not_opened_and_not_changed(path: Path) -> None:
    path.write_bytes(b"x" * HEADER)
    with pytest.raises(Foreign):
        LogFile(path, 4000)
    assert path.read_bytes() == b"x" * HEADER
