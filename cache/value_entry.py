"""Values of an application as entries, and what it says that they depend on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from cache.entry import Entry, Shape
from cache.invalidator import NAME_LINE
from cache.labels import ENTRY, entry_label, tag_of
from cache.value_codec import TYPE_LINE, decoded, encoded
from cache.value_key import value_key


def empty(tenant: str, namespace: str, name: str) -> Entry:
    """Of a value that is about to be made."""
    return Entry(
        key=value_key(tenant, namespace, name),
        tenant=tenant,
        namespace=namespace,
        model="",
        shape=Shape.VALUE,
        status=200,
        headers=((NAME_LINE, quote(name, safe="", errors="surrogatepass")),),
        body=b"",
        with_usage=False,
        usage=None,
        cost=None,
        stored_at=0.0,
        expires_at=0.0,
    )


def filled(entry: Entry, value: Any, now: float, ttl: float) -> Entry:
    """With its value, for `ttl` seconds from now on. Raises TypeError for a value of another kind."""
    kind, body = encoded(value)
    headers = (*entry.headers, (TYPE_LINE, kind))
    return replace(entry, headers=headers, body=body, stored_at=now, expires_at=now + ttl)


def value_of(entry: Entry) -> Any:
    return decoded(entry.headers, entry.body)


def named(tags: Iterable[str], depends: Iterable[str], tenant: str) -> list[str]:
    """The labels of tags, and of what a value depends on: `file:/absolute/path`, `entry:NAMESPACE/NAME`, or a name.
    Raises `BadLabel`."""
    return [*map(tag_of, tags), *[_label(each, tenant) for each in depends]]


def _label(text: str, tenant: str) -> str:
    if not text.startswith(ENTRY):
        return text
    namespace, _, name = text[len(ENTRY) :].partition("/")
    return entry_label(value_key(tenant, namespace, name))
