"""`warmgate cache get | put`: values of applications in a running proxy, from the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from multidict import CIMultiDict

from adapters.errors import Refused
from proxy.cache_asking import Request, common
from proxy.cache_words import stored
from proxy.client import Unusable
from proxy.value_path import ROOT, checked_name, checked_namespace
from proxy.value_wish import BYTES, DEPENDS, TAGS, wish_of

LONGEST = 8192
"""Bytes of a key that are sent; how many a proxy takes it says itself."""


def add(parts: Any) -> tuple[argparse.ArgumentParser, ...]:
    """Adds them to the commands of `warmgate cache`; `options.make` is the request of each."""
    get: argparse.ArgumentParser = parts.add_parser("get", help="write a value to standard output")
    get.set_defaults(make=_get)
    put: argparse.ArgumentParser = parts.add_parser("put", help="keep a value")
    put.set_defaults(make=_put)
    for each in (get, put):
        each.add_argument("namespace", metavar="NAMESPACE")
        each.add_argument("key", metavar="KEY")
        common(each)
    put.add_argument("file", metavar="FILE", nargs="?", default="-", help="its bytes; - (default) reads stdin")
    put.add_argument("--ttl", metavar="SECONDS", help="how long it is kept; else as configured")
    put.add_argument("--tag", action="append", default=[], metavar="TAG")
    put.add_argument(
        "--depends", action="append", default=[], metavar="WHAT", help="file:/PATH, entry:NAMESPACE/KEY, ..."
    )
    put.add_argument("--type", default=BYTES, metavar="TYPE", help=f"its media type; default {BYTES}")
    return get, put


def _get(options: argparse.Namespace) -> Request:
    return Request("GET", _path(options), member="")


def _put(options: argparse.Namespace) -> Request:
    query = "" if options.ttl is None else urlencode({"ttl": options.ttl})
    lines = {"Content-Type": options.type, TAGS: ", ".join(options.tag), DEPENDS: ", ".join(options.depends)}
    lines = {name: text for name, text in lines.items() if text}
    try:
        wish_of(CIMultiDict(lines), query, LONGEST)
    except Refused as refused:
        raise Unusable(f"{refused.param}: {refused.message}") from None
    return Request(
        "PUT", _path(options) + (f"?{query}" if query else ""), _content(options.file), "stored", lines, stored
    )


def _path(options: argparse.Namespace) -> str:
    try:
        namespace = checked_namespace(options.namespace)
        return f"{ROOT}{namespace}/{quote(checked_name(options.key, LONGEST), safe='')}"
    except Refused as refused:
        raise Unusable(refused.message) from None


def _content(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Unusable(f"{name}: {error.strerror}") from None
