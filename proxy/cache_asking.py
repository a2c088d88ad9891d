"""How the commands of `warmgate cache` ask a running proxy: whom, with which key, and what they take for an answer."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from proxy.cache_words import done
from proxy.client import KEY, key_in

BASE = "http://127.0.0.1:4100"
KEY_HEADERS = ("Authorization", "x-api-key", "api-key")

JSON = "application/json"


class Request(NamedTuple):
    method: str
    path: str
    """Percent-encoded, with its query."""
    body: bytes = b""
    member: str = "deleted"
    """One that the answer has, if it comes from such a proxy; empty: the answer is bytes, of anything."""
    headers: Mapping[str, str] = {"Content-Type": JSON}
    words: Callable[[Mapping[str, Any]], str] = done
    """What is printed of the answer."""


def common(parser: argparse.ArgumentParser) -> None:
    """The options of all that asks."""
    parser.add_argument("--url", default=BASE, help=f"of the running proxy; default {BASE}")
    parser.add_argument("--key-env", metavar="NAME", help=f"the variable that holds the key; default {KEY}")
    parser.add_argument(
        "--key-header",
        choices=KEY_HEADERS,
        default=KEY_HEADERS[0],
        help="how clients send it: tenants differ by it",
    )
    parser.add_argument("--json", action="store_true", help="for machines")


def credential(options: argparse.Namespace, env: Mapping[str, str]) -> dict[str, str]:
    """The header line that tells who asks. Raises `Unusable`."""
    key = key_in(env, options.key_env)
    shown = f"Bearer {key}" if options.key_header == "Authorization" else key
    return {options.key_header: shown} if key else {}
