"""`warmgate cache get | put`: bytes in and out."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
from pathlib import Path

import pytest

from proxy.cache_command import add, run
from tests.proxy.commands import against, at, command
from tests.proxy.desks import doors

STORED = {"stored": True, "etag": '"x"', "ttl": 90, "complete": True, "missing": []}


async def test_the_whole_way(tmp_path: Path) -> None:
    file = tmp_path / "value.json"
    file.write_text('{"a": 1}')
    key = "search/ü b%?#&+,;=x"
    async with doors("simulated") as there:
        code, out, err = await at(there, "get", "tool", key)
        assert (code, out) == (1, "")
        assert err == f"warmgate cache: {there.ours.root} answered 404: there is no such entry\n"
        flags = ("--ttl", "90.5", "--tag", "a", "--tag", "b", "--depends", f"file:{file}", "--type", "application/json")
        assert await at(there, "put", "tool", key, str(file), *flags) == (0, "kept for 90 s\n", "")
        assert await at(there, "get", "tool", key) == (0, '{"a": 1}', "")
        _, headers, _ = await there.value("GET", "tool/search%2F%C3%BC%20b%25%3F%23%26%2B%2C%3B%3Dx")
        assert headers["Content-Type"] == "application/json"
        file.write_text("{}")
        assert (await at(there, "get", "tool", key))[0] == 1
        assert await at(there, "put", "tool", key, str(file), "--ttl", "0") == (0, "not kept: ttl 0\n", "")


async def test_bytes_go_out_as_they_are(tmp_path: Path) -> None:
    raw = bytes(range(256))
    file = tmp_path / "value"
    file.write_bytes(raw)
    out = io.TextIOWrapper(io.BytesIO())
    async with doors("simulated") as there:
        await at(there, "put", "tool", "k", str(file))

        def get() -> int:
            parser = argparse.ArgumentParser()
            add(parser.add_subparsers())
            options = parser.parse_args(["cache", "get", "tool", "k", "--url", there.ours.root])
            return run(options, {"OPENAI_API_KEY": "sk-one"}, out, sys.stderr)

        assert await asyncio.to_thread(get) == 0
    assert isinstance(out.buffer, io.BytesIO)
    assert out.buffer.getvalue() == raw


async def test_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe")))
    (code, out, _), fake = await against(STORED, "put", "tool", "a/b", status=201)
    (seen,) = fake.seen
    assert (seen.method, seen.path, seen.body) == ("PUT", "/cache/v1/tool/a%2Fb", b"from a pipe")
    assert seen.headers["Content-Type"] == "application/octet-stream"
    assert "Cache-Tags" not in seen.headers
    assert (code, out) == (0, "kept for 90 s\n")
    (_, out, _), fake = await against(STORED, "put", "tool", "k", "/dev/null", "--ttl", "0.25", "--json")
    assert (fake.seen[0].path, json.loads(out)) == ("/cache/v1/tool/k?ttl=0.25", STORED)


async def test_what_is_kept_but_not_known_everywhere() -> None:
    late = STORED | {"complete": False, "missing": ["b"]}
    (code, out, _), _ = await against(late, "put", "tool", "k", "/dev/null", status=202)
    told = "not confirmed yet by b: what it holds may be served until its lease is over\n"
    assert (code, out) == (1, f"kept for 90 s\n{told}")


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "-", "k"),
        ("get", "tool", ""),
        ("get", "tool", "../a"),
        ("get", "tool", "a\nb"),
        ("put", "tool", "k", "/nowhere"),
        ("put", "tool", "k", "/dev/null", "--ttl", "-1"),
        ("put", "tool", "k", "/dev/null", "--ttl", "nan"),
        ("put", "tool", "k", "/dev/null", "--depends", "file:x"),
        ("put", "tool", "k", "/dev/null", "--tag", "a b"),
        ("put", "tool", "k", "/dev/null", "--tag", "a\r\nb"),
        ("put", "tool", "k", "/dev/null", "--type", "a\nb"),
    ],
)
def test_what_can_not_be_asked(arguments: tuple[str, ...]) -> None:
    code, out, err = command(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
