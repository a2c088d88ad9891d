"""The secret of an installation: made once, whole or not at all, for nobody else to read."""

from __future__ import annotations

import logging
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from proxy.secret import LENGTH, NAME, install_secret


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_it_is_made_once_and_found_again(tmp_path: Path) -> None:
    secret = install_secret(tmp_path)
    assert len(secret) == LENGTH == 32
    assert install_secret(tmp_path) == secret
    assert (tmp_path / NAME).read_bytes() == secret
    assert names(tmp_path) == [NAME], "no draft is left behind"


def test_another_installation_has_another(tmp_path: Path) -> None:
    assert install_secret(tmp_path / "a") != install_secret(tmp_path / "b")


def test_without_a_directory_it_lasts_as_long_as_the_process() -> None:
    assert len(install_secret(None)) == LENGTH
    assert install_secret(None) != install_secret(None)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_nobody_else_can_read_it(tmp_path: Path, mask: int) -> None:
    directory = tmp_path / "new" / "deep"
    before = os.umask(mask)
    try:
        install_secret(directory)
    finally:
        os.umask(before)
    assert stat.S_IMODE((directory / NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_directory_that_was_there_stays_as_it_was(tmp_path: Path) -> None:
    directory = tmp_path / "there"
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    install_secret(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755


def test_of_several_who_make_it_at_once_one_wins(tmp_path: Path) -> None:
    workers = 8
    for attempt in range(20):
        directory, start = tmp_path / str(attempt), Barrier(workers)

        def work(directory: Path = directory, start: Barrier = start) -> bytes:
            start.wait(10)
            return install_secret(directory)

        with ThreadPoolExecutor(workers) as pool:
            found = {future.result() for future in [pool.submit(work) for _ in range(workers)]}
        assert found == {(directory / NAME).read_bytes()}
        assert names(directory) == [NAME]


def test_what_a_crash_left_behind_does_not_change_it(tmp_path: Path) -> None:
    """In a container every process has the same number, and a draft is another name of the very same file."""
    secret = install_secret(tmp_path)
    os.link(tmp_path / NAME, tmp_path / f"{NAME}.{os.getpid()}")
    assert install_secret(tmp_path) == secret


def test_where_it_cannot_be_kept_that_is_told_and_the_proxy_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "warmgate"):
            secret = install_secret(directory)
        assert len(secret) == LENGTH
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert str(directory) in caplog.text
        assert secret.hex() not in caplog.text
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize("length", [0, 15, 65, 1000])
def test_a_damaged_one_is_not_used_and_that_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, length: int
) -> None:
    """Keys of a hash have 16 to 64 bytes here: with fewer it would prove little, with more every request would fail."""
    (tmp_path / NAME).write_bytes(b"x" * length)
    with caplog.at_level(logging.WARNING, "warmgate"):
        secret = install_secret(tmp_path)
    assert len(secret) == LENGTH
    assert secret != b"x" * LENGTH
    assert str(tmp_path) in caplog.text
    assert (tmp_path / NAME).read_bytes() == b"x" * length, "whoever put it there may want it back"


@pytest.mark.parametrize("length", [16, 32, 64])
def test_one_that_the_operator_put_there_is_used(tmp_path: Path, length: int) -> None:
    (tmp_path / NAME).write_bytes(b"x" * length)
    assert install_secret(tmp_path) == b"x" * length
