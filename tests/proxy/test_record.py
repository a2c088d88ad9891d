import json
import logging
import os
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.record import PAUSE, WAITING, Lines, Recorder
from proxy.sessions import Skipped, read_file

Make = Callable[..., Recorder]


def body(*texts: str) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text} for text in texts]}


def started(directory: Path) -> Recorder:
    return Recorder(directory, started=1_700_000_000.0, pid=42)


def read(path: Path) -> tuple[list[dict[str, Any] | None], list[Skipped]]:
    skipped: list[Skipped] = []
    return [found.body for found in read_file(path, skipped.append)], skipped


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncIterator[Recorder]:
    made = started(tmp_path / "recordings")
    yield made
    await made.close()


async def test_writes_what_the_replay_reads(recorder: Recorder) -> None:
    usage = {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2}}
    answer = {"choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}
    sent = [body("a"), body("a", "b"), body("z")]
    for request in sent:
        recorder.record("t", "", request, answer, usage, 5.0)
    await recorder.close()
    assert read(recorder.path) == (sent, [])
    assert (recorder.recorded, recorder.dropped) == (3, 0)
    line = json.loads(recorder.path.read_text().splitlines()[1])
    assert line["request"] == {"keep": 1, "append": [{"role": "user", "content": "b"}]}
    assert (line["usage"], line["ts"], line["source"]) == (usage, 5.0, "warmgate")


async def test_only_the_owner_may_read(recorder: Recorder) -> None:
    assert not recorder.path.parent.exists()  # nothing is made before there is something to keep
    recorder.record("t", "", body("a"), None, None, 5.0)
    await recorder.close()
    assert recorder.path.name == "sessions-20231114T221320Z-42.jsonl"
    assert stat.S_IMODE(recorder.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(recorder.path.parent.stat().st_mode) == 0o700


async def test_never_into_a_file_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine\n")
    (tmp_path / "sessions-20231114T221320Z-42.jsonl").symlink_to(tmp_path / "target")
    recorder = started(tmp_path)
    recorder.record("t", "", body("a"), None, None, 5.0)
    await recorder.close()
    assert (tmp_path / "target").read_text() == "mine\n"
    assert recorder.path.name == "sessions-20231114T221320Z-42-1.jsonl"
    assert read(recorder.path)[0] == [body("a")]


async def test_what_cannot_be_written_is_counted_and_the_rest_goes_on(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.record("t", "", body("a"), None, None, 5.0)
    recorder.record("t", "", {"input": "an embedding"}, None, None, 5.0)
    recorder.record("t", "", {**body("a", "b"), "bad": object()}, None, None, 5.0)
    recorder.record("t", "", body("a", "b", "c"), None, None, 5.0)
    await recorder.close()
    assert (recorder.recorded, recorder.dropped) == (2, 2)
    assert read(recorder.path) == ([body("a"), body("a", "b", "c")], [])
    assert len(caplog.records) == 2


async def test_a_full_disk_is_said_once_and_recording_resumes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "recordings"
    blocked.write_text("a file where the directory should be")
    recorder = started(blocked)
    with caplog.at_level(logging.WARNING):
        for second in range(5):
            recorder.record("t", "", body("a"), None, None, float(second))
        while recorder.dropped < 5:  # the thread is at it
            os.sched_yield()
        blocked.unlink()
        recorder.record("t", "", body("a", "b"), None, None, PAUSE - 1)
        recorder.record("t", "", body("a", "b", "c"), None, None, PAUSE + 1)
        await recorder.close()
    assert (recorder.recorded, recorder.dropped) == (1, 6)
    assert len(caplog.records) == 1
    assert read(recorder.path) == ([body("a", "b", "c")], [])


def test_a_line_cut_by_a_full_disk_spoils_no_other(tmp_path: Path) -> None:
    lines = Lines(tmp_path / "x.jsonl")
    lines.append(b"one\n")
    whole, lines._fd = lines._fd, os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space"):
        lines.append(b"two\n")
    os.close(lines._fd)
    os.write(whole, b"tw")  # what a disk takes before it is full
    lines._fd = whole
    lines.append(b"three\n")
    lines.close()
    assert (tmp_path / "x.jsonl").read_bytes() == b"one\ntw\nthree\n"


async def test_more_than_can_wait_is_dropped_and_closing_is_final(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    recorder = started(tmp_path / "gate")  # not a directory: no line is ever written
    for _ in range(WAITING * 3):
        recorder.record("t", "", body("a"), None, None, 5.0)
    await recorder.close()
    await recorder.close()
    recorder.record("t", "", body("a"), None, None, 5.0)
    assert recorder.dropped == WAITING * 3 + 1
