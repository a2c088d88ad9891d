import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.sessions import NotARecording, Recorded, Skipped, read_file

GOOD = [
    {"session": "a", "seq": n, "ts": n, "request": {"keep": n, "append": [{"role": "user", "content": str(n)}]}}
    for n in range(3)
]


def lines(*values: Any) -> bytes:
    return b"".join((value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n" for value in values)


def read(path: Path) -> tuple[list[Recorded], list[Skipped]]:
    skipped: list[Skipped] = []
    return list(read_file(path, skipped.append)), skipped


def test_plain_and_compressed_are_one(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.anything"
    plain.write_bytes(lines(*GOOD))
    packed.write_bytes(gzip.compress(lines(*GOOD)))
    assert read(plain) == read(packed)
    assert [len(found.body["messages"]) for found in read(plain)[0] if found.body] == [1, 2, 3]


def test_bad_lines_are_named_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    deep = b"[" * 100_000
    path.write_bytes(lines(GOOD[0], b'{"session": "a", "re', b"", {"event": 1}, b"\xff\xfe", deep, GOOD[1]))
    found, skipped = read(path)
    assert len(found) == 2
    assert [(skip.path, skip.line) for skip in skipped] == [(str(path), n) for n in (2, 4, 5, 6)]
    assert str(skipped[0]).startswith(f"{path}:2: not JSON")


def test_a_last_line_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(*GOOD)[:-20])
    found, skipped = read(path)
    assert (len(found), [skip.line for skip in skipped]) == (2, [3])


def test_a_compressed_file_that_was_cut_gives_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    many = lines(*({"session": str(n), "seq": 0, "request": {"messages": [], "n": n * 7919}} for n in range(5000)))
    path.write_bytes(gzip.compress(many)[:-2000])
    found, skipped = read(path)
    assert 100 < len(found) < 5000
    assert "breaks off" in skipped[-1].why


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no request in it"),
        (b"\n\n", "no request in it"),
        (b"hello\nworld\n", "no request in it"),
        (b"x\n" * 100_000, "its first 100 lines"),
        (b"\x1f\x8bnonsense", "no request in it"),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n", "no request in it"),
        (b'{"session":"a","request":{"keep":5,"append":[]}}\n', "no request in it"),
    ],
)
def test_what_is_no_recording(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(NotARecording, match=why):
        read(path)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(NotARecording, match=str(path)):
            read(path)


def test_azure_csv(tmp_path: Path) -> None:
    path = tmp_path / "azure.csv"
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\nnonsense\n")
    found, skipped = read(path)
    assert [(one.session, one.prompt_tokens) for one in found] == [("azure.csv:2", 4808)]
    assert [skip.line for skip in skipped] == [3]


def test_progress_reaches_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(*GOOD))
    told: list[int] = []
    list(read_file(path, lambda _: None, told.append))
    assert told[-1] == path.stat().st_size
