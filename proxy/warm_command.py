"""`warmgate warm FILE`: asks a running proxy to warm the prefix of a request, and says what became of it."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TextIO

import msgspec

from adapters.edit import set_member
from proxy.client import KEY, Unusable, ask, key_in, object_of, problem_in, read_body
from proxy.config_value import SECONDS
from proxy.fanout_bodies import APIS

_SPAN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([a-z]*)")


def add_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a request body whose prefix will be needed (JSON); - reads stdin")
    parser.add_argument("--base-url", default="http://127.0.0.1:4100/v1", metavar="URL", help="of the running proxy")
    parser.add_argument("--api-key-env", metavar="NAME", help=f"the variable that holds the key; default {KEY}")
    parser.add_argument(
        "--api", choices=tuple(APIS), help="whose body it is; else known from the body: chat, responses"
    )
    parser.add_argument("--keep-alive", metavar="TIME", help="keep the prefix warm for that long, e.g. 1h")
    parser.add_argument("--dollars", type=float, metavar="N", help="what keeping it warm may cost at most")
    parser.add_argument("--json", action="store_true", help="for machines")


def run(options: argparse.Namespace, env: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """The exit code: 0 where the prefix is warm now, 1 where it is not (the reason on `err`), 2 where the proxy could
    not be asked."""
    try:
        body = _body(options)
        headers = _headers(options, env)
        status, answer = asyncio.run(ask("POST", options.base_url.rstrip("/") + "/warm", headers, body, "--base-url"))
    except Unusable as error:
        err.write(f"warmgate warm: {error}\n")
        return 2
    told = object_of(answer)
    if status != 200 or not isinstance(told.get("warmed"), bool):
        err.write(f"warmgate warm: {options.base_url} answered {status}: {problem_in(told)}\n")
        return 1
    if options.json:
        out.write(msgspec.json.encode(told).decode() + "\n")
    else:
        (out if told["warmed"] else err).write(_sentence(told))
    return 0 if told["warmed"] else 1


def _body(options: argparse.Namespace) -> bytes:
    """The file's own bytes in the form that names API and life; a file of that form is completed."""
    raw, decoded = read_body(options.file)
    wish = raw if "request" in decoded else b'{"request":%b}' % raw.strip()
    if options.api is not None:
        wish = set_member(wish, "api", msgspec.json.encode(options.api))
    if (options.keep_alive is None) is not (options.dollars is None):
        raise Unusable("--keep-alive and --dollars go together: for how long, and for how much")
    if options.keep_alive is not None:
        keep = {"seconds": _seconds(options.keep_alive), "dollars": options.dollars}
        wish = set_member(wish, "keep_alive", msgspec.json.encode(keep))
    return wish


def _seconds(text: str) -> float:
    match = _SPAN.fullmatch(text)
    unit = SECONDS.get(match[2]) if match else None
    if match is None or unit is None:
        raise Unusable(f"--keep-alive: not a time: {text!r} (write 90s, 30m or 1h)")
    return float(Decimal(match[1]) * unit)


def _headers(options: argparse.Namespace, env: Mapping[str, str]) -> dict[str, str]:
    key = key_in(env, options.api_key_env)
    return {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})


def _sentence(told: Mapping[str, Any]) -> str:
    cost, tokens, seconds = told.get("cost"), told.get("tokens"), told.get("seconds")
    price = f"${cost:.6f}" if isinstance(cost, int | float) else "an unknown price"
    spent = f"{seconds:.1f} s, {price}" if isinstance(seconds, int | float) else price
    if not told["warmed"]:
        status = told.get("upstream_status")
        asked = f" (the provider answered {status})" if status is not None else ""
        return f"not warmed: {told.get('why')}{asked}; {spent}\n"
    life = told.get("expires_in")
    lives = f"; it lives {life:.0f} s after its last use" if isinstance(life, int | float) else ""
    size = f"{tokens:,} tokens" if isinstance(tokens, int) else "the prefix"
    was = "was warm already" if told.get("why") == "warm" else "warmed"
    return f"{was}: {size}; {spent}{lives}\n"
