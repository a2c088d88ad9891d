"""What commands read before they ask a running proxy; the asking itself is tested with the commands."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from proxy.client import KEY, Unreachable, Unusable, ask, key_in, object_of, problem_in, read_body
from tests.fakes import answers, provider


def test_bodies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b' {"a": 1.0}\n')
    assert read_body(str(path)) == (b' {"a": 1.0}\n', {"a": 1.0})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    assert read_body("-") == (b"{}", {})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a":"\xff"}', "not JSON"),
        (b"[" * 10_000, "not JSON"),
        (b"7", "object"),
    ],
)
def test_files_that_are_no_body(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(Unusable, match=says):
        read_body(str(path))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="No such file"):
        read_body(str(tmp_path / "no.json"))


def test_keys() -> None:
    assert key_in({KEY: " sk-x "}, None) == "sk-x"
    assert key_in({}, None) == ""
    assert key_in({"MINE": "k"}, "MINE") == "k"
    with pytest.raises(Unusable, match="no variable MINE"):
        key_in({KEY: "sk-x"}, "MINE")
    with pytest.raises(Unusable, match="holds no key"):
        key_in({KEY: "a\nb"}, None)


async def test_one_request() -> None:
    async with provider(answers({"a": 1}, 418)) as fake:
        status, body = await ask("DELETE", fake.base_url + "/x", {"A": "b"}, b"", "--url")
        assert (status, object_of(body)) == (418, {"a": 1})
        assert (fake.seen[0].method, fake.seen[0].path, fake.seen[0].headers["A"]) == ("DELETE", "/v1/x", "b")
    with pytest.raises(Unreachable, match="no proxy answers"):
        await ask("POST", "http://127.0.0.1:1/x", {}, b"", "--url")
    with pytest.raises(Unusable, match="--url: not a URL"):
        await ask("POST", "nonsense", {}, b"", "--url")


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b"7", b"\xff"])
def test_answers_that_are_no_object(answer: bytes) -> None:
    assert object_of(answer) == {}


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"error": {"message": "no"}}, "no"),
        ({"error": {"message": 5}}, "that is no proxy of this kind"),
        ({"error": "no"}, "that is no proxy of this kind"),
        ({}, "that is no proxy of this kind"),
    ],
)
def test_problems(told: dict[str, object], says: str) -> None:
    assert problem_in(told) == says
