"""`warmgate warm`: what it asks a running proxy, what it prints, and how it fails."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from proxy.warm_command import add_parser, run
from tests.fakes import CHAT, Provider, Seen, provider

WARMED = {"warmed": True, "why": "warmed", "tokens": 12345, "cost": 0.0043, "seconds": 1.23, "expires_in": 300.0}


def command(*arguments: str, **env: str) -> tuple[int, str, str]:
    parser = argparse.ArgumentParser()
    add_parser(parser)
    out, err = io.StringIO(), io.StringIO()
    code = run(parser.parse_args(arguments), {"OPENAI_API_KEY": "sk-x"} | env, out, err)
    return code, out.getvalue(), err.getvalue()


async def against(told: Any, *arguments: str, status: int = 200, **env: str) -> tuple[tuple[int, str, str], Provider]:
    """The command against a proxy that says this."""

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        return web.Response(status=status, body=body, headers={"Content-Type": "application/json"})

    async with provider(script) as fake:
        base = ("--base-url", fake.base_url)
        return await asyncio.to_thread(command, *arguments, *base, **env), fake


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> str:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(CHAT, indent=1) + "\n")
    return str(path)


async def test_what_was_warmed(file: str) -> None:
    (code, out, err), fake = await against(WARMED, file)
    assert (code, err) == (0, "")
    assert out == "warmed: 12,345 tokens; 1.2 s, $0.004300; it lives 300 s after its last use\n"
    (seen,) = fake.seen
    assert (seen.path, seen.headers["Authorization"]) == ("/v1/warm", "Bearer sk-x")
    assert seen.body == b'{"request":' + json.dumps(CHAT, indent=1).encode() + b"}"


@pytest.mark.parametrize(
    ("told", "code", "words"),
    [
        (
            WARMED | {"why": "warm", "cost": 0, "expires_in": None},
            0,
            "was warm already: 12,345 tokens; 1.2 s, $0.000000",
        ),
        (WARMED | {"cost": None}, 0, "an unknown price"),
        (WARMED | {"tokens": None, "seconds": None}, 0, "warmed: the prefix; $0.004300"),
        (WARMED | {"warmed": False, "why": "below minimum"}, 1, "not warmed: below minimum; 1.2 s"),
        (
            WARMED | {"warmed": False, "why": "refused", "upstream_status": 401},
            1,
            "not warmed: refused (the provider answered 401)",
        ),
    ],
)
async def test_sentences(file: str, told: Any, code: int, words: str) -> None:
    (got, out, err), _ = await against(told, file)
    assert got == code
    assert (out if code == 0 else err).startswith(words) or words in out
    assert (err if code == 0 else out) == ""


async def test_for_machines(file: str) -> None:
    (code, out, _), _ = await against(WARMED, file, "--json")
    assert (code, json.loads(out)) == (0, WARMED)
    (code, out, err), _ = await against(WARMED | {"warmed": False}, file, "--json")
    assert (code, json.loads(out)["warmed"], err) == (1, False, "")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("1h", 3600.0), ("1.5m", 90.0), ("2d", 172800.0), ("500ms", 0.5)]
)
async def test_keeping_it_warm(file: str, text: str, seconds: float) -> None:
    _, fake = await against(WARMED, file, "--keep-alive", text, "--dollars", "0.5", "--api", "messages")
    asked = json.loads(fake.seen[0].body)
    assert asked == {"request": CHAT, "api": "messages", "keep_alive": {"seconds": seconds, "dollars": 0.5}}


async def test_a_file_that_says_it_itself(tmp_path: Path) -> None:
    path = tmp_path / "wish.json"
    path.write_text(json.dumps({"request": CHAT, "keep_alive": {"seconds": 1, "dollars": 1}}))
    _, fake = await against(WARMED, str(path))
    assert fake.seen[0].body == path.read_bytes()
    _, fake = await against(WARMED, str(path), "--keep-alive", "1h", "--dollars", "2")
    assert json.loads(fake.seen[0].body)["keep_alive"] == {"seconds": 3600.0, "dollars": 2.0}


async def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(CHAT).encode())))
    (code, _, _), fake = await against(WARMED, "-")
    assert code == 0
    assert json.loads(fake.seen[0].body) == {"request": CHAT}


async def test_keys(file: str) -> None:
    _, fake = await against(WARMED, file, "--api-key-env", "MY_KEY", MY_KEY=" sk-mine ")
    assert fake.seen[0].headers["Authorization"] == "Bearer sk-mine"
    (code, _, _), fake = await against(WARMED, file, OPENAI_API_KEY="")  # an engine may ask for none
    assert code == 0
    assert "Authorization" not in fake.seen[0].headers
    assert command(file, "--api-key-env", "MY_KEY") == (
        2,
        "",
        "warmgate warm: the environment has no variable MY_KEY\n",
    )
    code, _, err = command(file, OPENAI_API_KEY="sk-\n-x")
    assert (code, err) == (2, "warmgate warm: the variable OPENAI_API_KEY holds no key\n")


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "not JSON"), ("{", "not JSON"), ('{"a":1} x', "not JSON"), ("[]", "is a JSON object"), ("7", "JSON object")],
)
def test_files_that_are_no_request(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    code, out, err = command(str(path))
    assert (code, out) == (2, "")
    assert err.startswith(f"warmgate warm: {path}: ")
    assert says in err
    assert err.count("\n") == 1


def test_files_that_are_none(tmp_path: Path) -> None:
    assert command(str(tmp_path / "no.json"))[2] == f"warmgate warm: {tmp_path}/no.json: No such file or directory\n"
    assert command(str(tmp_path))[0] == 2
    path = tmp_path / "latin.json"
    path.write_bytes(b'{"a":"\xff"}')
    assert command(str(path))[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("--keep-alive", "1h"),
        ("--dollars", "1"),
        ("--keep-alive", "soon", "--dollars", "1"),
        ("--keep-alive", "1y", "--dollars", "1"),
        ("--keep-alive", "-1h", "--dollars", "1"),
        ("--base-url", "nonsense"),
        ("--base-url", "http://"),
        ("--base-url", "http://127.0.0.1:1/v1"),
    ],
)
def test_what_can_not_be_asked(file: str, arguments: tuple[str, ...]) -> None:
    flags = [f"{name}={value}" for name, value in zip(arguments[::2], arguments[1::2], strict=True)]
    code, out, err = command(file, *flags)
    assert (code, out) == (2, "")
    assert err.startswith("warmgate warm: ")
    assert err.count("\n") == 1


def test_no_proxy_says_what_to_do(file: str) -> None:
    err = command(file, "--base-url", "http://127.0.0.1:1/v1")[2]
    assert err == "warmgate warm: no proxy answers at http://127.0.0.1:1/v1/warm; is `warmgate serve` running?\n"


@pytest.mark.parametrize(
    ("told", "status", "says"),
    [
        ({"error": {"message": "`messages` must be a non-empty array"}}, 400, "400: `messages` must be"),
        ({"error": "x"}, 404, "404: that is no proxy of this kind"),
        (b"<html>", 200, "200: that is no proxy of this kind"),
        ([], 200, "200: that is no"),
        ({"warmed": "yes"}, 200, "200: that is no"),
        ({"error": {"message": "the upstream could not be reached"}}, 502, "502: the upstream could not"),
    ],
)
async def test_answers_that_say_no(file: str, told: Any, status: int, says: str) -> None:
    (code, out, err), _ = await against(told, file, status=status)
    assert (code, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1


async def test_a_key_is_not_carried_elsewhere(file: str) -> None:
    async with provider() as other:

        async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
            raise web.HTTPTemporaryRedirect(other.base_url)

        async with provider(script) as fake:
            code, _, err = await asyncio.to_thread(command, file, "--base-url", fake.base_url)
        assert (code, other.seen) == (1, [])
        assert "307" in err
