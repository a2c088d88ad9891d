"""What a request asks of the cache, read from `Cache-Control` or from the `cache` member of the body."""

from __future__ import annotations

import re
import sys
from typing import Any

from adapters.errors import Refused
from adapters.vocabulary import PLAIN, Controls

MEMBERS = ("ttl", "s-maxage", "no-cache", "no-store", "namespace")
"""Members of the body's `cache` object (LiteLLM's names)."""

_ITEM = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^,"])+', re.DOTALL)
"""A list's item: commas inside a quoted string do not end it (RFC 9110 §5.6.4)."""


def controls_of(cache_control: str | None, member: Any = None) -> Controls:
    """Both forms together; where they differ, or one says it twice, the stricter holds.

    A header directive that is unknown or malformed is ignored (RFC 9111 §5.2.3); a malformed body member is an error
    (`Refused`), because nobody else will ever tell its author.
    """
    if not cache_control and member is None:
        return PLAIN
    asked = _directives(cache_control or "")
    body = _member(member)
    names = {name for name, _ in asked}
    said = [_seconds(value) for name, value in asked if name == "max-age"]
    ages = [age for age in (*said, body.max_age) if age is not None]
    return Controls(
        no_cache="no-cache" in names or body.no_cache,
        no_store="no-store" in names or body.no_store,
        only_if_cached="only-if-cached" in names,
        max_age=min(ages, default=None),
        ttl=body.ttl,
        namespace=body.namespace,
    )


def member_of(controls: Controls) -> dict[str, Any]:
    """The same as the `cache` member of a body; `only-if-cached` has no word there."""
    said = {
        "ttl": controls.ttl,
        "s-maxage": controls.max_age,
        "no-cache": controls.no_cache or None,
        "no-store": controls.no_store or None,
        "namespace": controls.namespace or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _directives(header: str) -> list[tuple[str, str]]:
    pairs = (part.partition("=") for part in _ITEM.findall(header))
    return [(name.strip().lower(), value.strip().strip('"')) for name, _, value in pairs]


def _seconds(value: str) -> float | None:
    return float(value) if value.isascii() and value.isdigit() else None


def _member(member: Any) -> Controls:
    if member is None:
        return PLAIN
    if not isinstance(member, dict):
        raise Refused(400, "`cache` must be an object", param="cache")
    for name in member:
        if name not in MEMBERS:
            raise Refused(400, f"`cache` has no member `{name}`; it knows {', '.join(MEMBERS)}", param=f"cache.{name}")
    namespace = member.get("namespace", "")
    if not isinstance(namespace, str):
        raise Refused(400, "`cache.namespace` must be a string", param="cache.namespace")
    return Controls(
        no_cache=_flag(member, "no-cache"),
        no_store=_flag(member, "no-store"),
        max_age=_number(member, "s-maxage"),
        ttl=_number(member, "ttl"),
        namespace=namespace,
    )


def _flag(member: dict[str, Any], name: str) -> bool:
    value = member.get(name, False)
    if not isinstance(value, bool):
        raise Refused(400, f"`cache.{name}` must be true or false", param=f"cache.{name}")
    return value


def _number(member: dict[str, Any], name: str) -> float | None:
    value = member.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= sys.float_info.max:
        raise Refused(400, f"`cache.{name}` must be a number of seconds, 0 or more", param=f"cache.{name}")
    return float(value)
