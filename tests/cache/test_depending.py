from __future__ import annotations

import os
from pathlib import Path

import pytest

from cache.dependencies import Dependencies, Missing
from cache.depending import Depending
from cache.entry import Entry
from cache.files import WITNESS, BadFile, Changed, Files
from cache.labels import BadLabel, entry_label
from tests.cache.contract import Clock, entry_of, key_of


@pytest.fixture(name="prompt")
def _prompt(tmp_path: Path) -> Path:
    path = tmp_path / "prompt.md"
    path.write_text("one")
    return path


@pytest.fixture
def depending(prompt: Path) -> Depending:
    files = Files(Clock(), [prompt.parent])
    return Depending(Dependencies({"prompt:a": files.labels(str(prompt))}), files)


def rewrite(path: Path) -> None:
    path.write_text("longer")


def carrying(*labels: str) -> Entry:
    return entry_of("other", Clock(), tenant="team", labels=labels)


async def nothing(key: bytes) -> Entry | None:
    return None


async def test_an_answer_carries_the_files_of_its_prompt(depending: Depending, prompt: Path) -> None:
    labels = await depending.labels_for(["prompt:a", "mine"], "team", nothing)
    assert labels[:3] == ("prompt:a", "mine", f"file:{prompt}")
    assert labels[3].startswith(WITNESS)
    assert depending.current(carrying(*labels))
    other = await depending.labels_for([entry_label(key_of("other"))], "team", lambda key: found(carrying(*labels)))
    assert set(other) >= set(labels)
    rewrite(prompt)
    assert not depending.current(carrying(*labels))
    assert not depending.current(carrying(*other))
    with pytest.raises(Changed):
        await depending.labels_for([entry_label(key_of("other"))], "team", lambda key: found(carrying(*labels)))
    assert depending.current(carrying())
    assert await depending.labels_for([], "team", nothing) == ()


async def found(entry: Entry) -> Entry | None:
    return entry


async def test_what_was_told_of_a_file_when_it_was_read_has_to_be_true(depending: Depending, prompt: Path) -> None:
    told = f"file:{prompt};mtime={os.stat(prompt).st_mtime_ns};size=3"
    labels = await depending.labels_for([told], "team", nothing)
    assert labels[0] == f"file:{prompt}"
    link = prompt.with_name("link")
    link.symlink_to(prompt)
    assert (await depending.labels_for([f"file:{link};size=3"], "team", nothing))[:2] == (f"file:{link}", labels[0])
    rewrite(prompt)
    for text in (told, f"file:{link};size=3"):
        with pytest.raises(Changed):
            await depending.labels_for([text], "team", nothing)


async def test_what_may_not_be_named_is_refused(depending: Depending) -> None:
    for label in ("file:/etc/passwd", "file:prompt.md", "file:@1.2.3.@/x", "entry:x", "entry:@tool"):
        with pytest.raises(BadLabel):
            await depending.labels_for([label], "team", nothing)
    with pytest.raises(BadFile):
        await depending.labels_for(["file:/etc/passwd;size=1"], "team", nothing)
    with pytest.raises(Missing):
        await depending.labels_for(["entry:00"], "team", nothing)
