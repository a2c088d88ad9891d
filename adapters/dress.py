"""The header lines that a provider expects, made of those that a client sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from multidict import CIMultiDict

from adapters.vocabulary import Call, Handler, Reply

CREDENTIALS = frozenset({"authorization", "api-key", "x-api-key"})

BEARER_SINCE = "2026-10-21"
"""From this `anthropic-version` on a key goes out as a bearer token; before it, in `x-api-key` (Anthropic's SDK 2.0,
read 2026-11). Versions are dates and compare as texts."""

OAUTH = "sk-ant-oat"
"""What Anthropic's access tokens begin with: they are bearer tokens under any version."""

VERSION = "anthropic-version"

Line = tuple[str, str]


class Dress(NamedTuple):
    """What the configuration says of a provider's headers."""

    speaks: str = "openai"
    """`openai`, `anthropic` or `both`; lines that only the other's API knows are left out, credentials put where this
    one looks for them. With `both`, everything stays."""
    version: str = BEARER_SINCE
    """`anthropic-version` for clients that send none."""
    api_key: str | None = None
    replaces: bool = False
    """Managed mode: no credential of a client is ever passed on, with or without a key in its place."""
    auth: str | None = None
    """The header for keys: `bearer`, `x-api-key`, `api-key`; None: as the provider's version has it."""
    extra: tuple[Line, ...] = ()
    """Sent with every request, in place of lines of the same names."""


def dressed(lines: Iterable[Line], dress: Dress) -> list[Line]:
    """The lines for the provider, those that stay in their order."""
    taken = {name.lower() for name, _ in dress.extra}
    if dress.replaces:
        taken |= CREDENTIALS
    foreign = {"openai": "anthropic-", "anthropic": "openai-"}.get(dress.speaks)
    kept = [
        (name, value)
        for name, value in lines
        if (low := name.lower()) not in taken and not (foreign and low.startswith(foreign))
    ]
    if dress.speaks == "anthropic" and not _find(kept, VERSION) and VERSION not in taken:
        kept.append((VERSION, dress.version))
    if dress.api_key is not None:
        kept.append(_key(dress, _find(kept, VERSION)))
    elif not dress.replaces:
        kept = _moved(kept, dress)
    return [*kept, *dress.extra]


class Dressed:
    """A handler inside the process, behind the headers that one over HTTP would have got."""

    def __init__(self, inner: Handler, dress: Dress) -> None:
        self.inner, self.dress = inner, dress

    async def __call__(self, call: Call) -> Reply:
        return await self.inner(replace(call, headers=CIMultiDict(dressed(call.headers.items(), self.dress))))


def _key(dress: Dress, version: str) -> Line:
    place = dress.auth or ("x-api-key" if dress.speaks == "anthropic" and version < BEARER_SINCE else "bearer")
    return ("Authorization", f"Bearer {dress.api_key}") if place == "bearer" else (place, dress.api_key or "")


def _moved(lines: list[Line], dress: Dress) -> list[Line]:
    """A client's own key, where it stands in a header that this provider does not read."""
    bearer, key = _find(lines, "authorization"), _find(lines, "x-api-key")
    if dress.auth is not None:
        shown = key or _find(lines, "api-key") or bearer.removeprefix("Bearer ")
        rest = [line for line in lines if line[0].lower() not in CREDENTIALS]
        return [*rest, _key(dress._replace(api_key=shown), "")] if shown else lines
    if dress.speaks == "openai" and key and not bearer:
        return [
            ("Authorization", f"Bearer {value}") if name.lower() == "x-api-key" else (name, value)
            for name, value in lines
        ]
    scheme, _, token = bearer.partition(" ")
    if dress.speaks != "anthropic" or key or scheme.lower() != "bearer" or token.startswith(OAUTH):
        return lines
    if _find(lines, VERSION) >= BEARER_SINCE:
        return lines
    return [("x-api-key", token) if name.lower() == "authorization" else (name, value) for name, value in lines]


def _find(lines: list[Line], wanted: str) -> str:
    return next((value for name, value in lines if name.lower() == wanted), "")
