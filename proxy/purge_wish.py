"""What `POST /cache/purge` and `POST /cache/events` ask for: bodies as values, checked. Pure; what is wrong is refused
(400, with `param`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from adapters.body import decoded
from adapters.errors import Refused
from cache.labels import BadLabel, tag_of
from cache.wildcard import BadPattern, matcher
from proxy.cache_wish import Asked, asked_within, key_of_text, only
from proxy.fanout_bodies import sliced
from proxy.value_path import Place, parted
from proxy.value_wish import Depend, depend_of

TARGETS = ("everything", "scope", "scope_of", "keys", "tags", "namespace", "pattern", "depends")

MOST = 1000
"""Members of a list, and events of one request."""

LONGEST = 1024
"""Characters of a pattern, of a namespace and of a fact."""

FACTS = 32
"""Of one event."""

_SCOPE = re.compile(r"[0-9a-f]{64}")
_KIND = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Item = TypeVar("Item")


class Purge(NamedTuple):
    """One of them says what is to go."""

    scope: bytes | None = None
    scope_of: Asked | None = None
    everything: bool = False
    keys: tuple[str | Place, ...] = ()
    """Of answers in hexadecimal, 16 digits at least; of values by name."""
    tags: tuple[str, ...] = ()
    namespace: str | None = None
    pattern: str = ""
    """Of names `NAMESPACE/KEY`, with `*` for any characters and `?` for one."""
    depends: tuple[Depend, ...] = ()
    dry_run: bool = False


class Happened(NamedTuple):
    """An event."""

    kind: str
    facts: dict[str, str]


def purge_of(raw: bytes, longest: int) -> Purge:
    """One of `{"everything": true}`, `{"scope": HEX}` as `/cache/explain` tells it, `{"scope_of": BODY}`, where the
    body may stand in `{"route", "headers", "body"}`, `{"keys": [...]}`, `{"tags": [...]}`, `{"namespace": "..."}`,
    `{"pattern": "tool/*"}` and `{"depends": "file:/..."}`, each with `dry_run`. `longest`: bytes of a value's key."""
    body = decoded(raw)
    only(body, (*TARGETS, "dry_run"))
    named = [name for name in TARGETS if name in body]
    if len(named) != 1:
        raise Refused(400, f"one of {', '.join(TARGETS)} says what is to go", param="scope_of")
    name, value = named[0], body[named[0]]
    purge = _purge(name, value, raw, longest)
    # A pattern may match more than its author thinks of; all else says what it says.
    dry = body.get("dry_run", name == "pattern")
    if not isinstance(dry, bool):
        raise Refused(400, "`dry_run` must be true or false", param="dry_run")
    if dry and name in ("scope", "scope_of"):
        told = "a scope has no dry run; `in_scope` of /cache/explain tells how many answers it has"
        raise Refused(400, told, param="dry_run")
    return purge._replace(dry_run=dry)


def _purge(name: str, value: Any, raw: bytes, longest: int) -> Purge:
    if name == "everything":
        if value is not True:
            raise Refused(400, "`everything` must be true", param="everything")
        return Purge(everything=True)
    if name == "scope":
        if not isinstance(value, str) or not _SCOPE.fullmatch(value.lower()):
            raise Refused(400, "`scope` must be 64 hexadecimal digits, as explain tells them", param="scope")
        return Purge(scope=bytes.fromhex(value))
    if name == "scope_of":
        if not isinstance(value, dict):
            raise Refused(400, "`scope_of` must be an object: a request as it would be sent", param="scope_of")
        return Purge(scope_of=asked_within(bytes(sliced(raw)["scope_of"]), value, "scope_of."))
    if name == "namespace":
        return Purge(namespace=_text(value, name))
    if name == "pattern":
        return Purge(pattern=_pattern(_text(value, name)))
    if name == "keys":
        return Purge(keys=_listed(value, name, lambda text, where: _key(text, longest, where)))
    if name == "tags":
        return Purge(tags=_listed(value, name, checked_tag))
    wanted = [value] if isinstance(value, str) else value
    return Purge(depends=_listed(wanted, name, lambda text, where: depend_of(text, longest, where)))


def _text(value: Any, param: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        raise Refused(400, f"`{param}` must be a string of 1 to {LONGEST} characters", param=param)
    return value


def _pattern(text: str) -> str:
    try:
        matcher(text)
    except BadPattern as error:
        raise Refused(400, str(error), param="pattern") from None
    return text


def _listed(value: Any, param: str, read: Callable[[str, str], Item]) -> tuple[Item, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST:
        raise Refused(400, f"`{param}` must be a list of 1 to {MOST} strings", param=param)
    found = []
    for place, text in enumerate(value):
        if not isinstance(text, str):
            raise Refused(400, f"`{param}` must be a list of strings", param=f"{param}[{place}]")
        found.append(read(text, f"{param}[{place}]"))
    return tuple(dict.fromkeys(found))


def _key(text: str, longest: int, param: str) -> str | Place:
    return parted(text, longest, param) if "/" in text else key_of_text(text, param)


def checked_tag(text: str, param: str) -> str:
    """The text, which has to be a tag. Raises `Refused`."""
    try:
        return tag_of(text)
    except BadLabel as error:
        raise Refused(400, str(error), param=param) from None


def events_of(raw: bytes) -> tuple[Happened, ...]:
    """`{"kind": "...", ...}`, or a list of those; all other members are facts, texts or numbers."""
    if not raw.lstrip().startswith(b"["):
        return (_event(decoded(raw), ""),)
    # Read as the member of an object, so that what is wrong with it is found as in any other body.
    body = decoded(b'{"events":%b}' % raw)
    listed = body["events"]
    if len(body) > 1 or not isinstance(listed, list) or not 0 < len(listed) <= MOST:
        raise Refused(400, f"a list of events has 1 to {MOST}")
    found = []
    for place, each in enumerate(listed):
        if not isinstance(each, dict):
            raise Refused(400, "an event is an object with a `kind`", param=f"[{place}]")
        found.append(_event(each, f"[{place}]."))
    return tuple(found)


def _event(body: Mapping[str, Any], where: str) -> Happened:
    kind = body.get("kind")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        told = "`kind` must be a word of 1 to 64 letters, digits, dots, dashes and underscores"
        raise Refused(400, told, param=f"{where}kind")
    if len(body) > FACTS:
        raise Refused(400, f"an event has {FACTS} members at most", param=f"{where}kind")
    facts = {}
    for name, value in body.items():
        if name == "kind":
            continue
        fact = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if isinstance(value, bool | dict | list | None) or not 0 < len(fact) <= LONGEST:
            told = f"a fact is a number or a text of 1 to {LONGEST} characters"
            raise Refused(400, told, param=f"{where}{name[:64]}")
        facts[name] = fact
    return Happened(kind, facts)
