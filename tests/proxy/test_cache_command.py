"""`warmgate cache`: what it asks a running proxy, what it prints, and how it fails."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import CHAT, provider
from tests.proxy.commands import against, at, command
from tests.proxy.desks import doors

EXPLAINED = {"route": "chat", "model": "m", "exact": {"outcome": "miss"}, "semantic": {"mode": "off"}}
DELETED = {"deleted": 1, "semantic": 1, "exact": 0}


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> str:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(CHAT, indent=1) + "\n")
    return str(path)


async def test_the_whole_way(tmp_path: Path, file: str) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps(CHAT | {"seed": 7}))
    async with provider() as fake, doors(fake.base_url) as there:
        _, headers, _ = await there.ours.chat(key="sk-one")
        prefix = headers["Cache-Status"].partition('key="')[2][:16]
        code, out, err = await at(there, "explain", file)
        assert (code, err) == (0, "")
        first, second, *_ = out.splitlines()
        assert first == "chat request, model gpt-4o"
        assert second == f"exact: hit in l1, 0 s old, 5 min to live (key {prefix})"
        code, out, _ = await at(there, "explain", str(other))
        assert code == 0
        assert "exact: miss: no identical request is in the cache" in out
        assert "the closest request was asked 0 s ago, and its answer is in the cache; it differs in" in out
        assert "        seed: only here: 7\n" in out
        assert "semantic (on): refused: units: km / miles, score none of 0.970; 7 in scope 0001020304050607\n" in out
        told = "    entry 123: similarity 0.930, score none, 1 right and 1 wrong: How long is a marathon in miles?\n"
        assert told + "        vetoed by units: 'km' here, 'miles' there\n" in out
        there.store.add(5, there.layer.calls[-1].tenant)
        assert await at(there, "feedback", "5", "--right") == (0, "entry 5 is right: noted\n", "")
        assert await at(there, "feedback", "5", "--wrong", "--similarity", "0.5", "--route", "messages") == (
            0,
            "entry 5 is wrong: quarantined: it is not served again\n",
            "",
        )
        assert [(each.similarity, each.route) for each in there.store.judgements] == [(1.0, "chat"), (0.5, "messages")]
        assert await at(there, "delete", "5") == (0, "deleted: 1 semantic, 0 exact\n", "")
        code, _, err = await at(there, "delete", "5")
        assert (code, err) == (1, f"warmgate cache: {there.ours.root} answered 404: there is no such entry\n")
        assert (await at(there, "feedback", prefix, "--right"))[1] == f"key {prefix} is right: it stays\n"
        assert (await at(there, "delete", f"key:{prefix}"))[1] == "deleted: 0 semantic, 1 exact\n"
        await there.ours.chat(key="sk-one")
        assert (await at(there, "purge", "--scope-of", file))[1] == "deleted: 0 semantic, 1 exact\n"
        await there.ours.chat(key="sk-one")
        assert (await at(there, "purge", "--everything"))[1] == "deleted: 0 semantic, 1 exact\n"
        assert (await at(there, "purge", "--scope", "0" * 64))[1] == "deleted: 0 semantic, 0 exact\n"


async def test_where_the_semantic_cache_is_off(file: str) -> None:
    async with doors("simulated", semantic=False) as there:
        code, out, _ = await at(there, "explain", file)
        assert (code, out.splitlines()[-1]) == (0, "semantic: off")
        code, out, err = await at(there, "feedback", "5", "--wrong")
        assert (code, out) == (1, "")
        assert (
            err == f"warmgate cache: {there.ours.root} answered 404: the semantic cache is off, so it has no entries\n"
        )


async def test_what_is_asked(file: str, tmp_path: Path) -> None:
    raw = json.dumps(CHAT, indent=1).encode()
    _, fake = await against(EXPLAINED, "explain", file)
    (seen,) = fake.seen
    assert (seen.method, seen.path, seen.headers["Authorization"]) == ("POST", "/cache/explain", "Bearer sk-one")
    assert seen.body == b'{"body":' + raw + b"}"
    flags = ("--route", "messages", "--header", "anthropic-version: 2023-06-01", "--header", "X:  y:z ")
    _, fake = await against(EXPLAINED, "explain", file, *flags, "--key-header", "x-api-key")
    assert json.loads(fake.seen[0].body) == {
        "body": CHAT,
        "route": "messages",
        "headers": {"anthropic-version": "2023-06-01", "X": "y:z"},
    }
    assert fake.seen[0].headers["x-api-key"] == "sk-one"
    assert "Authorization" not in fake.seen[0].headers
    path = tmp_path / "wrapped.json"
    path.write_text(json.dumps({"route": "chat", "headers": {"a": "1", "b": "2"}, "body": CHAT}))
    _, fake = await against(EXPLAINED, "explain", str(path))
    assert fake.seen[0].body == path.read_bytes()
    _, fake = await against(EXPLAINED, "explain", str(path), "--header", "b: 3", "--route", "messages")
    assert json.loads(fake.seen[0].body) == {"route": "messages", "headers": {"a": "1", "b": "3"}, "body": CHAT}
    _, fake = await against(DELETED, "delete", "12")
    assert (fake.seen[0].method, fake.seen[0].path, fake.seen[0].body) == ("DELETE", "/cache/entries/12", b"")
    _, fake = await against(DELETED, "delete", "key:1234567890123456", "--key-env", "MINE", MINE="sk-mine")
    assert (fake.seen[0].path, fake.seen[0].headers["Authorization"]) == (
        "/cache/keys/1234567890123456",
        "Bearer sk-mine",
    )
    _, fake = await against(DELETED, "purge", "--scope-of", file, OPENAI_API_KEY="")
    assert fake.seen[0].body == b'{"scope_of":{"body":' + raw + b"}}"
    assert "Authorization" not in fake.seen[0].headers


async def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(CHAT).encode())))
    (code, _, _), fake = await against(EXPLAINED, "explain", "-")
    assert (code, json.loads(fake.seen[0].body)) == (0, {"body": CHAT})


async def test_for_machines(file: str) -> None:
    (code, out, _), _ = await against(EXPLAINED, "explain", file, "--json")
    assert (code, json.loads(out)) == (0, EXPLAINED)


@pytest.mark.parametrize(
    "arguments",
    [
        ("feedback", "abc", "--wrong"),
        ("feedback", "-", "--wrong"),
        ("feedback", "5", "--wrong", "--similarity=2"),
        ("feedback", "5", "--wrong", "--similarity=nan"),
        ("delete", "0123456789abcde"),
        ("delete", "../entries/5"),
        ("explain", "nowhere.json"),
        ("purge", "--scope-of", "nowhere.json"),
        ("purge", "--everything", "--key-env", "NO_SUCH"),
        ("purge", "--everything", "--url", "nonsense"),
    ],
)
def test_what_can_not_be_asked(arguments: tuple[str, ...]) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("warmgate cache: ")
    assert err.count("\n") == 1


def test_a_header_that_is_none(file: str) -> None:
    assert command("explain", file, "--header", "nonsense")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("feedback", "5"),
        ("feedback", "5", "--wrong", "--right"),
        ("purge",),
        ("purge", "--everything", "--scope=0"),
    ],
)
def test_usage(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        command(*arguments)
    assert ended.value.code == 2


def test_no_proxy_says_what_to_do() -> None:
    code, out, err = command("delete", "5", "--url", "http://127.0.0.1:1/")
    assert (code, out) == (1, "")
    told = "no proxy answers at http://127.0.0.1:1/cache/entries/5; is `warmgate serve` running?"
    assert err == f"warmgate cache: {told}\n"


@pytest.mark.parametrize(
    ("told", "status", "says"),
    [
        ({"error": {"message": "no valid key\nof this proxy"}}, 401, "401: no valid key\\nof this proxy"),
        ({"error": {"message": "unknown route; the API is under /v1"}}, 404, "404: unknown route"),
        ({}, 200, "200: that is no proxy of this kind"),
        (b"<html>", 200, "200: that is no"),
        ([1], 307, "307: that is no"),
    ],
)
async def test_answers_that_say_no(told: Any, status: int, says: str) -> None:
    (code, out, err), _ = await against(told, "purge", "--everything", status=status)
    assert (code, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1
