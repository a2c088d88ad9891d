"""`warmgate cache explain | feedback | delete | purge | clear | event | get | put`: asks a running proxy about its
cache, tells it what is wrong, keeps values of applications in it.

Exit codes: 0 done, 1 refused, not done everywhere or nobody there, 2 for what could not be asked.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO
from urllib.parse import quote

import msgspec

from adapters.edit import set_member
from proxy import purge_command, value_command
from proxy.cache_asking import Request, common, credential
from proxy.cache_words import explained, plain
from proxy.client import Unreachable, Unusable, ask, object_of, problem_in, read_body
from proxy.purge_command import of_store
from proxy.purge_store import Opens

DONE = (200, 201, 202)
NOT_EVERYWHERE = 202
"""A replica has not confirmed it."""

_ENTRY = re.compile(r"[0-9]{1,19}")
_KEY = re.compile(r"(?:key:)?([0-9A-Fa-f]{16,64})")

_encode = msgspec.json.encode


def add(commands: Any, opens: Opens | None = None) -> argparse.ArgumentParser:
    """Adds `cache` to the commands of the program; its options run by themselves (`options.run`). `opens`: what `clear
    --store` opens a store with."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "cache", help="why a request hits or misses; delete what is wrong; values of applications"
    )
    parts = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    explain = parts.add_parser("explain", help="why this request hits or misses")
    explain.add_argument("file", metavar="BODY", help="a request body as it would be sent (JSON); - reads stdin")
    explain.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'", help="of that request")
    explain.set_defaults(make=_explain)
    feedback = parts.add_parser("feedback", help="say that an answer from memory was wrong, or right")
    feedback.add_argument("entry", metavar="ENTRY", help="number in X-Warmgate-Semantic, or key in Cache-Status")
    said = feedback.add_mutually_exclusive_group(required=True)
    said.add_argument("--wrong", dest="correct", action="store_false", help="it is not served again")
    said.add_argument("--right", dest="correct", action="store_true")
    feedback.add_argument("--similarity", type=float, metavar="N", help="as X-Warmgate-Semantic told it; else as noted")
    feedback.set_defaults(make=_feedback)
    delete = parts.add_parser("delete", help="delete an answer")
    delete.add_argument("entry", metavar="ENTRY", help="its number, or its key")
    delete.set_defaults(make=_delete)
    purge = parts.add_parser("purge", help="delete all answers of a scope, or of this key")
    what = purge.add_mutually_exclusive_group(required=True)
    what.add_argument("--scope-of", metavar="BODY", help="what could be served for this request (JSON); - reads stdin")
    what.add_argument("--scope", metavar="HEX", help="as explain --json tells it")
    what.add_argument("--everything", action="store_true")
    purge.set_defaults(make=_purge)
    for each in (explain, feedback, delete, purge):
        common(each)
        if each is not delete:
            each.add_argument("--route", metavar="NAME", help="chat (default), messages, responses or embeddings")
    for each in (explain, feedback, delete, purge, *purge_command.add(parts), *value_command.add(parts)):
        each.set_defaults(run=lambda options: run(options, os.environ, sys.stdout, sys.stderr, opens))
    return parser


def run(
    options: argparse.Namespace, env: Mapping[str, str], out: TextIO, err: TextIO, opens: Opens | None = None
) -> int:
    """The exit code. Raises `ConfigError` for the configuration of a store."""
    try:
        if getattr(options, "store", False):
            return of_store(options, env, opens, out, err)
        request: Request = options.make(options)
        headers = {**request.headers, **credential(options, env)}
        url = options.url.rstrip("/").removesuffix("/v1") + request.path
        status, answer = asyncio.run(ask(request.method, url, headers, request.body, "--url"))
    except Unusable as error:
        err.write(f"warmgate cache: {plain(str(error))}\n")
        return 1 if isinstance(error, Unreachable) else 2
    if status == 200 and not request.member:
        return _written(answer, out)
    told = object_of(answer)
    if status not in DONE or request.member not in told:
        err.write(f"warmgate cache: {plain(options.url)} answered {status}: {plain(problem_in(told))}\n")
        return 1
    out.write(_encode(told).decode() + "\n" if options.json else request.words(told))
    return 0 if status != NOT_EVERYWHERE else 1


def _written(answer: bytes, out: TextIO) -> int:
    """Bytes as they are, where the output takes bytes."""
    out.flush()
    raw = getattr(out, "buffer", None)
    if raw is None:
        out.write(answer.decode(errors="replace"))
    else:
        raw.write(answer)
        raw.flush()
    return 0


def _explain(options: argparse.Namespace) -> Request:
    wish = _wish(options.file, options.route, dict(map(_line, options.header)))
    return Request("POST", "/cache/explain", wish, "semantic", words=explained)


def _line(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise Unusable(f"--header: not a header line: {text!r} (write 'name: value')")
    return name.strip(), value.strip()


def _wish(name: str, route: str | None, headers: Mapping[str, str]) -> bytes:
    """The file's own bytes in the form that names route and headers; a file of that form is completed."""
    raw, decoded = read_body(name)
    wish = raw if "body" in decoded else b'{"body":%b}' % raw.strip()
    if route is not None:
        wish = set_member(wish, "route", _encode(route))
    if headers:
        known = decoded.get("headers") if "body" in decoded else None
        wish = set_member(wish, "headers", _encode({**(known if isinstance(known, dict) else {}), **headers}))
    return wish


def _feedback(options: argparse.Namespace) -> Request:
    kind, name = _named(options.entry)
    body: dict[str, Any] = {kind: int(name) if kind == "entry" else name, "correct": options.correct}
    if options.similarity is not None:
        if not -1 <= options.similarity <= 1:
            raise Unusable("--similarity: a number from -1 to 1")
        body["similarity"] = options.similarity
    if options.route is not None:
        body["route"] = options.route
    return Request("POST", "/cache/feedback", _encode(body), "correct")


def _named(text: str) -> tuple[str, str]:
    """A number is an entry of the semantic cache; 16 to 64 hexadecimal digits are a key of the exact one, with `key:`
    in front also where all of them are decimal."""
    if _ENTRY.fullmatch(text):
        return "entry", text
    match = _KEY.fullmatch(text)
    if match is None:
        raise Unusable(f"ENTRY: neither a number nor a key of at least 16 hexadecimal digits: {text!r}")
    return "key", match[1].lower()


def _delete(options: argparse.Namespace) -> Request:
    kind, name = _named(options.entry)
    return Request("DELETE", f"/cache/{'entries' if kind == 'entry' else 'keys'}/{quote(name)}")


def _purge(options: argparse.Namespace) -> Request:
    if options.everything:
        body = b'{"everything":true}'
    elif options.scope is not None:
        body = _encode({"scope": options.scope})
    else:
        body = b'{"scope_of":%b}' % _wish(options.scope_of, options.route, {})
    return Request("POST", "/cache/purge", body)
