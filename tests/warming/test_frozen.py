"""Edits that stay: in memory, in a file, behind a restart."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import Clock
from warming.frozen import LARGEST, TOUCHED, Frozen, Standing, standing

ONE = Standing(0, 1, 2, "middle", 7, b"because")
OTHER = Standing(3, 0, 0, "[gone]", 2)


@settings(max_examples=300, deadline=None)
@given(st.text("ab\n", max_size=30), st.text("ab\n", max_size=30))
def test_a_standing_edit_gives_its_text_again(original: str, text: str) -> None:
    made = standing(2, original, text, 9, b"x")
    assert made.text(original) == text
    assert (made.place, made.tokens, made.because) == (2, 9, b"x")
    assert made.head + made.tail <= min(len(original), len(text))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=50), st.text(max_size=10), st.text(max_size=50))
def test_of_a_cut_only_the_cut_is_kept(head: str, middle: str, tail: str) -> None:
    made = standing(0, head + "[what was cut out]" * 9 + tail, head + middle + tail, 1)
    assert len(made.middle) <= len(middle)


def test_a_text_too_short_to_be_the_original_has_no_edit() -> None:
    assert Standing(0, 3, 3, "x", 1).text("12345") is None
    assert Standing(0, 3, 3, "x", 1).text("123456") == "123x456"


async def test_memory_alone() -> None:
    frozen = Frozen(None, Clock())
    await frozen.open()
    assert not frozen.durable
    frozen.put({b"a": [ONE, OTHER], b"b": [OTHER]})
    assert await frozen.find([b"a", b"c"]) == {b"a": (ONE, OTHER)}
    frozen.put({b"a": [ONE]})
    assert await frozen.find([b"a", b"b"]) == {b"a": (ONE,), b"b": (OTHER,)}
    await frozen.close()


async def test_memory_is_bounded_and_the_latest_stay() -> None:
    frozen = Frozen(None, Clock(), memory=10_000)
    for number in range(1000):
        frozen.put({b"%d" % number: [OTHER]})
    left = await frozen.find([b"%d" % number for number in range(1000)])
    assert 0 < len(left) < 25
    assert b"999" in left
    frozen.put({b"large": [OTHER._replace(middle="x" * 20_000)]})
    assert await frozen.find([b"large"]) == {}


async def test_behind_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "frozen.db"
    frozen = Frozen(path, Clock())
    assert not frozen.durable
    await frozen.open()
    assert frozen.durable
    frozen.put({b"a": [ONE, OTHER]})
    await frozen.close()
    assert not frozen.durable
    again = Frozen(path, Clock())
    await again.open()
    assert await again.find([b"b", b"a"]) == {b"a": (ONE, OTHER)}
    assert again.stats()["messages"] == 1
    await again.close()


async def test_another_process_sees_what_this_one_put(tmp_path: Path) -> None:
    one, other = Frozen(tmp_path / "f.db", Clock()), Frozen(tmp_path / "f.db", Clock())
    await one.open()
    await other.open()
    assert await other.find([b"a"]) == {}
    one.put({b"a": [ONE]})
    await one.close()  # written
    assert await other.find([b"a"]) == {b"a": (ONE,)}
    await other.close()


async def test_rows_in_use_are_noted_to_be(tmp_path: Path) -> None:
    clock = Clock(1_000_000.0)
    path = tmp_path / "f.db"
    frozen = Frozen(path, clock)
    await frozen.open()
    frozen.put({b"a": [ONE], b"b": [ONE]})
    await frozen.find([b"none"])  # behind the writing
    clock.tick(TOUCHED + 1)
    await frozen.find([b"a"])
    await frozen.close()
    with sqlite3.connect(path) as connection:
        used = dict(connection.execute("SELECT key, used FROM frozen_edits"))
    connection.close()
    assert used == {b"a": 1_000_000 + TOUCHED + 1, b"b": 1_000_000}


async def test_a_damaged_file_starts_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "f.db"
    path.write_bytes(b"no database " * 1000)
    frozen = Frozen(path, Clock(5.0))
    await frozen.open()
    assert frozen.durable
    assert await frozen.find([b"a"]) == {}
    frozen.put({b"a": [ONE]})
    assert await frozen.find([b"a"]) == {b"a": (ONE,)}
    assert frozen.stats()["set_aside"] == 1
    assert "starting empty" in caplog.text
    await frozen.close()


async def test_rows_of_a_version_that_wrote_otherwise_are_none(tmp_path: Path) -> None:
    frozen = Frozen(tmp_path / "f.db", Clock())
    await frozen.open()
    assert frozen._disk is not None
    assert frozen._thread is not None
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(
        frozen._thread, frozen._disk.write, {b"a": b"\x93\x01\x02\x03", b"b": b"", b"c": b"\x90"}
    )
    assert await frozen.find([b"a", b"b", b"c"]) == {b"c": ()}
    await frozen.close()


async def test_a_disk_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    frozen = Frozen(tmp_path / "f.db", Clock(), patience=0.0)
    await frozen.open()
    assert await frozen.find([b"a"]) == {}
    assert frozen.timeouts == 1
    await frozen.close()


async def test_a_path_that_cannot_be_opened_is_not_durable(tmp_path: Path) -> None:
    frozen = Frozen(tmp_path, Clock())
    await frozen.open()
    assert not frozen.durable
    frozen.put({b"a": [ONE]})
    assert await frozen.find([b"a", b"b"]) == {b"a": (ONE,)}
    await frozen.close()


def test_edits_that_are_too_large_do_not_fit() -> None:
    assert Frozen.fits([ONE, OTHER])
    assert not Frozen.fits([OTHER._replace(middle="x" * LARGEST)])
