"""The commands about the configuration: is it sound, and what does it amount to."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from proxy.config import Settings
from proxy.config_file import dump, load, loads
from proxy.config_problem import ConfigError
from proxy.config_rules import redis_url, store_path, stores_on_disk
from proxy.config_types import masked_url
from proxy.providers import network, ways


def check(
    path: Path | None,
    env: Mapping[str, str],
    out: TextIO,
    err: TextIO | None = None,
    changes: Mapping[str, Any] | None = None,
) -> int:
    """Whether a server could start with this file, these variables and flags: 0, or 1 and every problem on `err`
    (standard error). Without a path: the defaults."""
    try:
        settings = _effective(path, env, changes)
    except ConfigError as error:
        return _failed(error, err)
    out.write(f"{path or 'defaults'}: ok\n")
    for name, value in summary(settings, env):
        out.write(f"  {name:<9} {value}\n")
    return 0


def show(
    path: Path | None,
    env: Mapping[str, str],
    out: TextIO,
    err: TextIO | None = None,
    changes: Mapping[str, Any] | None = None,
) -> int:
    """Prints the effective configuration, secrets masked. It needs none of them: only `check` asks for them."""
    try:
        settings = _effective(path, env, changes, needs=False)
    except ConfigError as error:
        return _failed(error, err)
    out.write(dump(settings))
    return 0


def summary(settings: Settings, env: Mapping[str, str]) -> list[tuple[str, str]]:
    """What a server with these settings will do, in a few lines."""
    listen, tenants, cache = settings.listen, settings.tenants, settings.cache
    where = f"unix:{listen.unix}" if listen.unix else f"http://{_bracketed(listen.host)}:{listen.port}"
    who = f"managed, {len(tenants.keys)} keys of {len({key.tenant for key in tenants.keys})} tenants"
    levels = cache.multi_level
    shared = cache.enabled and cache.exact.enabled and levels.enabled and levels.l3.enabled
    parts = [
        name for name, on in (("coalescing", cache.coalesce.enabled), ("exact answers", cache.exact.enabled)) if on
    ]
    return [
        ("listens", f"{where}, {listen.workers} worker{'s' if listen.workers > 1 else ''}"),
        ("upstream", masked_url(str(settings.upstream.base_url))),
        *_routes(settings),
        ("tenants", who if tenants.mode == "managed" else "pass_through: each client's own provider key"),
        ("shared", "one cache for all tenants" if tenants.share_cache else "nothing between tenants"),
        ("cache", ", ".join(parts) if cache.enabled and parts else "off"),
        ("semantic", _semantic(settings)),
        ("disk", str(store_path(settings, env)) if stores_on_disk(settings) else "no answers on disk"),
        ("redis", masked_url(redis_url(settings, env)) if shared else "none"),
        ("records", settings.record.dir or "nothing"),
    ]


def _routes(settings: Settings) -> list[tuple[str, str]]:
    """Which models go elsewhere, each with its upstreams in their order."""
    net = network(settings)
    lines = []
    for route in net.routes:
        where = [masked_url(str(net.upstreams[way.upstream].base_url)) for way in ways(route)]
        lines.append(("route", f"{route.model} -> {', then '.join(where)}"))
    return lines


def _semantic(settings: Settings) -> str:
    """What is done about equivalent questions, and what decides about them."""
    given = settings.cache.semantic
    if not (settings.cache.enabled and given.enabled):
        return "off"
    others = [
        f"{route.model} {route.semantic}"
        for route in network(settings).routes
        if route.semantic is not None and route.semantic != given.mode
    ]
    return f"{', '.join([given.mode, *others])}; policy {given.policy}"


def _effective(
    path: Path | None, env: Mapping[str, str], changes: Mapping[str, Any] | None, *, needs: bool = True
) -> Settings:
    if path is None:
        return loads("", "defaults", env=env, changes=changes, needs=needs)
    return load(path, env=env, changes=changes, needs=needs)


def _failed(error: ConfigError, err: TextIO | None) -> int:
    count = len(error.problems)
    print(f"{error}\n{count} problem{'s' if count > 1 else ''}", file=err or sys.stderr)
    return 1


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
