"""The file of a disk store: how it is opened, brought up to date and set aside."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - not a POSIX system: several processes on one damaged file may race there
    fcntl = None  # type: ignore[assignment]

from cache.disk_faults import DAMAGED, code_of
from cache.disk_schema import APPLICATION_ID

SUFFIXES = ("-wal", "-shm", "")
"""The files of one database; the main file last, so that whoever finds none of it finds no leftovers either."""

Pragmas = Sequence[tuple[str, str | int]]


class Newer(Exception):
    """The file was written by a later version, whose rows this one can't judge."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version}")
        self.version = version


class Stranger(OSError):
    """The file is somebody else's database. It stays as it is."""


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Keep other processes that open or set aside files of this directory out: a fresh database beside the WAL of the
    damaged one, or a healthy file set aside by the second who found the damage, would be worse than the damage."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def connect(
    path: Path | None, busy: float, pragmas: Pragmas, migrations: Sequence[str], table: str | None = None
) -> sqlite3.Connection:
    """Open or create; without a path, in memory. A file of ours without that `table` is of another kind, and its
    version says nothing. Raises `Newer`, `Stranger`, OSError, `sqlite3.Error`; nothing stays open then.

    The connection belongs to the calling thread, commits every statement by itself and reads texts as bytes: a
    damaged text must not raise while a row is fetched.
    """
    if path is not None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite's own default mode is 0644, -wal follows ours
    connection = sqlite3.connect(path or ":memory:", timeout=busy, isolation_level=None)
    try:
        connection.text_factory = bytes
        version = _version(connection, path)
        if version and table and not _has(connection, table):
            raise Stranger(f"{path} is a file of ours, but of another kind")
        if version > len(migrations):
            raise Newer(version)
        for name, value in pragmas:
            connection.execute(f"PRAGMA {name} = {value}").fetchall()
        for number, script in enumerate(migrations[version:], version + 1):
            _migrate(connection, script, number)
    except BaseException:
        with suppress(sqlite3.Error):
            connection.close()
        raise
    return connection


def pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _version(connection: sqlite3.Connection, path: Path | None) -> int:
    if pragma(connection, "application_id") == APPLICATION_ID:
        return pragma(connection, "user_version")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables or pragma(connection, "user_version"):
        raise Stranger(f"{path} is the database of another program")
    return 0


def _has(connection: sqlite3.Connection, table: str) -> bool:
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchall())


def _migrate(connection: sqlite3.Connection, script: str, number: int) -> None:
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script};\n"
            f"PRAGMA user_version = {number};\nPRAGMA application_id = {APPLICATION_ID};\nCOMMIT;"
        )
    except sqlite3.Error:
        with suppress(sqlite3.Error):
            connection.rollback()
        raise


def identity(path: Path) -> tuple[int, int] | None:
    """Which file lies there; None for none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def set_aside(path: Path, why: str, now: float) -> Path:
    """Rename the file and its companions to `<name>.<why>-<unix time>`; where it went. To be called `alone`."""
    stem = f"{path.name}.{why}-{int(now)}"
    target, turn = path.with_name(stem), 0
    while target.exists():
        turn += 1
        target = path.with_name(f"{stem}.{turn}")
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{target}{suffix}")
    return target


def begun(start: Callable[[], None], close: Callable[[], None], aside: Callable[[str, str], None]) -> None:
    """Opens a file by `start`; one that is damaged or of a later version is set aside (`aside`: the suffix of its new
    name, and why), and `start` begins a fresh one."""
    try:
        start()
    except Newer as newer:
        aside(f"version{newer.version}", f"was written by a later version ({newer.version})")
        start()
    except sqlite3.DatabaseError as error:
        if code_of(error) not in DAMAGED:
            raise
        close()
        aside("damaged", f"is damaged ({error})")
        start()
