"""What a request asks of the cache, read from header lines or from the `cache` member of the body."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from adapters.errors import Refused
from adapters.vocabulary import PLAIN, Controls
from cache.labels import BadLabel, distinct, tag_of

MEMBERS = ("ttl", "s-maxage", "no-cache", "no-store", "namespace", "similarity", "semantic", "tags")
"""Members of the body's `cache` object: LiteLLM's names, and three of our own."""

SIMILARITY, SEMANTIC, CONTEXT = "X-Warmgate-Similarity", "X-Warmgate-Semantic", "X-Warmgate-Context"
TAGS = "Cache-Tags"

SHARED = "shared"
"""The only context that anybody else's question may meet; `personal`, `retrieved` and any other word are exact only."""


class Asked(NamedTuple):
    """Values of the header lines above, those of one name joined by commas; None where there is none."""

    similarity: str | None = None
    semantic: str | None = None
    context: str | None = None
    tags: str | None = None


NOTHING = Asked()

_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")

_ITEM = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^,"])+', re.DOTALL)
"""A list's item: commas inside a quoted string do not end it (RFC 9110 §5.6.4)."""


def controls_of(cache_control: str | None, member: Any = None, asked: Asked = NOTHING) -> Controls:
    """All forms together; where they differ, or one says it twice, the stricter holds.

    A header directive that is unknown or malformed is ignored (RFC 9111 §5.2.3); a malformed body member, similarity or
    word about the semantic cache is an error (`Refused`), because nobody else will ever tell its author.
    """
    if not cache_control and member is None and asked == NOTHING:
        return PLAIN
    directives = _directives(cache_control or "")
    body = _member(member)
    names = {name for name, _ in directives}
    said = [_seconds(value) for name, value in directives if name == "max-age"]
    ages = [age for age in (*said, body.max_age) if age is not None]
    errors = [_seconds(value) for name, value in directives if name == "stale-if-error"]
    wanted = [each for each in (_similarity(asked.similarity), body.similarity) if each is not None]
    return Controls(
        no_cache="no-cache" in names or body.no_cache,
        no_store="no-store" in names or body.no_store,
        only_if_cached="only-if-cached" in names,
        max_age=min(ages, default=None),
        ttl=body.ttl,
        namespace=body.namespace,
        similarity=max(wanted, default=None),
        exact=body.exact or _off(asked.semantic) or not set(_words(asked.context)) <= {SHARED},
        tags=_tags((*(asked.tags or "").split(","), *body.tags), TAGS) if asked.tags else body.tags,
        stale_if_error=min((each for each in errors if each is not None), default=None),
    )


def member_of(controls: Controls) -> dict[str, Any]:
    """The same as the `cache` member of a body; `only-if-cached` has no word there."""
    said = {
        "ttl": controls.ttl,
        "s-maxage": controls.max_age,
        "no-cache": controls.no_cache or None,
        "no-store": controls.no_store or None,
        "namespace": controls.namespace or None,
        "similarity": controls.similarity,
        "semantic": False if controls.exact else None,
        "tags": list(controls.tags) or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _similarity(value: str | None) -> float | None:
    if value is None:
        return None
    words = _words(value)
    if not all(_DECIMAL.fullmatch(word) and float(word) <= 1 for word in words):
        raise Refused(400, f"`{SIMILARITY}` must be a number from 0 to 1", param=SIMILARITY)
    return max(map(float, words))


def _off(value: str | None) -> bool:
    words = set(_words(value))
    if not words <= {"on", "off"}:
        raise Refused(400, f"`{SEMANTIC}` must be on or off", param=SEMANTIC)
    return "off" in words


def _words(value: str | None) -> list[str]:
    """Of a list of words; an empty one is a word too, which nobody knows."""
    return [] if value is None else [word.strip().lower() for word in value.split(",")]


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
        similarity=_fraction(member, "similarity"),
        exact=not _flag(member, "semantic", absent=True),
        tags=_tags(_list(member, "tags"), "cache.tags"),
    )


def _tags(texts: Iterable[str], param: str) -> tuple[str, ...]:
    try:
        return distinct(tag_of(text) for text in map(str.strip, texts) if text)
    except BadLabel as error:
        raise Refused(400, f"`{param}`: {error}", param=param) from None


def _list(member: dict[str, Any], name: str) -> list[str]:
    value = member.get(name, [])
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise Refused(400, f"`cache.{name}` must be a list of strings", param=f"cache.{name}")
    return value


def _flag(member: dict[str, Any], name: str, *, absent: bool = False) -> bool:
    value = member.get(name, absent)
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


def _fraction(member: dict[str, Any], name: str) -> float | None:
    value = member.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise Refused(400, f"`cache.{name}` must be a number from 0 to 1", param=f"cache.{name}")
    return float(value)
