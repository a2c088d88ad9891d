"""What commands that ask a running proxy have in common: a body from a file, a key from the environment, a request."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

KEY = "OPENAI_API_KEY"
WAIT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=660)
"""Longer than the proxy itself waits for the first byte of a provider."""


class Unusable(Exception):
    """What was given can't be asked; the message says why."""


class Unreachable(Unusable):
    """Nobody answers."""


def read_body(name: str) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a file (`-`: of standard input) that holds a JSON object, and the object."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Unusable(f"{name}: {error.strerror}") from None
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"{name}: not JSON: {str(error).removeprefix('JSON is malformed: ')}") from None
    if not isinstance(body, dict):
        raise Unusable(f"{name}: a request body is a JSON object")
    return raw, body


def key_in(env: Mapping[str, str], name: str | None) -> str:
    """The value of a variable. A proxy in front of an engine may need no key, so it may be empty; one that was named
    has to be there."""
    key = env.get(name or KEY, "").strip()
    if not key and name is not None:
        raise Unusable(f"the environment has no variable {name}")
    if any(not character.isprintable() for character in key):
        raise Unusable(f"the variable {name or KEY} holds no key")
    return key


async def ask(method: str, url: str, headers: Mapping[str, str], body: bytes, flag: str) -> tuple[int, bytes]:
    """Status and body of the answer. `flag`: what the URL was given by, for the message."""
    try:
        async with (
            aiohttp.ClientSession(timeout=WAIT) as session,
            session.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            return response.status, await response.read()
    except aiohttp.InvalidURL:
        raise Unusable(f"{flag}: not a URL: {url!r}") from None
    except aiohttp.ClientConnectorError:
        raise Unreachable(f"no proxy answers at {url}; is `warmgate serve` running?") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unreachable(f"{url}: {type(error).__name__}") from None


def object_of(answer: bytes) -> dict[str, Any]:
    """Empty where it is none."""
    try:
        told = msgspec.json.decode(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def problem_in(told: Mapping[str, Any]) -> str:
    """The message of an error, as all dialects write it."""
    problem = told.get("error")
    message = problem.get("message") if isinstance(problem, dict) else None
    return message if isinstance(message, str) and message else "that is no proxy of this kind"
