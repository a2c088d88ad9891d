"""`warmgate cache clear | event`: takes entries out of a running proxy, or of the store that a configuration names.

What is cleared of a running proxy is of one key; the operator, who may read the store, clears it for anybody.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import msgspec

from adapters.errors import Refused
from proxy.cache_asking import Request, common
from proxy.cache_words import cleared, happened, plain
from proxy.client import Unusable
from proxy.config_file import load
from proxy.purge_store import Opens, clear_store
from proxy.purge_told import Answered
from proxy.purge_wish import Purge, purge_of
from proxy.value_desk import Bounds

_encode = msgspec.json.encode


def add(parts: Any) -> tuple[argparse.ArgumentParser, ...]:
    """Adds them to the commands of `warmgate cache`; `options.make` is the request of each."""
    clear: argparse.ArgumentParser = parts.add_parser("clear", help="take entries out: by key, namespace, tag, pattern")
    what = clear.add_mutually_exclusive_group(required=True)
    what.add_argument("--key", action="append", metavar="KEY", help="NAMESPACE/KEY of a value, or key of an answer")
    what.add_argument("--namespace", metavar="NAME")
    what.add_argument("--tag", action="append", metavar="TAG")
    what.add_argument("--depends", action="append", metavar="WHAT", help="file:/PATH, entry:NAMESPACE/KEY, prompt:NAME")
    what.add_argument("--pattern", metavar="PATTERN", help="of NAMESPACE/KEY, with * and ?; only told, without --yes")
    what.add_argument("--everything", action="store_true")
    how = clear.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="only tell what would go")
    how.add_argument("--yes", action="store_true", help="do what would otherwise only be told")
    clear.add_argument("--store", action="store_true", help="of the store itself, for all keys; needs no running proxy")
    clear.add_argument("--tenant", metavar="NAME", help="with --store: only this tenant's")
    clear.add_argument("--config", type=Path, metavar="FILE", help="with --store: the configuration that names it")
    clear.set_defaults(make=_clear)
    event: argparse.ArgumentParser = parts.add_parser("event", help="tell what happened: what that makes wrong goes")
    event.add_argument("kind", metavar="KIND", help="file_changed, prompt_changed, tool_changed or a configured one")
    event.add_argument("facts", nargs="*", metavar="NAME=VALUE")
    event.set_defaults(make=_event)
    for each in (clear, event):
        common(each)
    return clear, event


def _clear(options: argparse.Namespace) -> Request:
    if options.tenant is not None or options.config is not None:
        raise Unusable("--tenant and --config go with --store: a running proxy knows its tenants by their keys")
    member = "would_delete" if _dry(options) else "deleted"
    return Request("POST", "/cache/purge", _body(options), member, words=cleared)


def _dry(options: argparse.Namespace) -> bool:
    """Of a store that is everybody's all is told first."""
    return options.dry_run or ((options.pattern is not None or options.store) and not options.yes)


def _body(options: argparse.Namespace) -> bytes:
    named = {
        "keys": options.key,
        "namespace": options.namespace,
        "tags": options.tag,
        "depends": options.depends,
        "pattern": options.pattern,
        "everything": options.everything or None,
    }
    return _encode({name: value for name, value in named.items() if value is not None} | {"dry_run": _dry(options)})


def of_store(options: argparse.Namespace, env: Mapping[str, str], opens: Opens | None, out: TextIO, err: TextIO) -> int:
    """`clear --store`: the exit code. Raises `ConfigError`, and `Unusable`."""
    if opens is None:
        raise Unusable("--store: no store can be opened from here")
    if options.config is None:
        raise Unusable("--store: --config names the configuration whose store is meant")
    settings = load(options.config, env=env, needs=False)
    try:
        purge: Purge = purge_of(_body(options), Bounds().max_key)
        answered: Answered = asyncio.run(clear_store(settings, env, opens, purge, options.tenant))
    except Refused as refused:
        err.write(f"warmgate cache: {plain(refused.message)}\n")
        return 2 if refused.status < 500 else 1
    out.write(_encode(answered.told).decode() + "\n" if options.json else cleared(answered.told))
    return 0 if answered.status == 200 else 1


def _event(options: argparse.Namespace) -> Request:
    facts = {}
    for text in options.facts:
        name, equals, value = text.partition("=")
        if not equals or not name or name == "kind" or name in facts:
            raise Unusable(f"not a fact: {text!r} (write NAME=VALUE, each name once)")
        facts[name] = value
    return Request("POST", "/cache/events", _encode({"kind": options.kind} | facts), "events", words=happened)
