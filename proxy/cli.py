"""The command line: `warmgate serve | replay | explain | warm | cache | semantic | savings | config | demo`."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from adapters.tokenizer import TokenCounter
from proxy import (
    cache_command,
    config_command,
    demo,
    explain,
    log,
    replay,
    savings,
    semantic_command,
    serve,
    warm_command,
)
from proxy.app import opened
from proxy.config import Settings
from proxy.config_file import load, loads
from proxy.config_problem import ConfigError
from proxy.config_rules import secrets_of, stores_on_disk
from proxy.pricing import prices_of
from proxy.semantic_opening import opening


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses and runs one command; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away: nothing left to say, nor anybody to say it to
        return 141


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="warmgate", description="A caching reverse proxy for OpenAI-compatible APIs.")
    parser.add_argument("--version", action="version", version=f"warmgate {version('warmgate')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _serve(commands.add_parser("serve", help="run the proxy"))
    _replay(commands.add_parser("replay", help="what the cache would have been worth on recorded sessions"))
    config = commands.add_parser("config", help="check or show a configuration").add_subparsers(required=True)
    check = config.add_parser("check", help="find every mistake in a configuration file")
    check.add_argument("file", type=Path, nargs="?")
    check.set_defaults(run=lambda options: config_command.check(options.file, os.environ, sys.stdout, sys.stderr))
    show = config.add_parser("show", help="print the effective configuration, secrets masked")
    show.add_argument("file", type=Path, nargs="?")
    show.set_defaults(run=lambda options: config_command.show(options.file, os.environ, sys.stdout, sys.stderr))
    explained = commands.add_parser("explain", help="why recorded prompts were not read from the provider's cache")
    explain.add_parser(explained)
    warm = commands.add_parser("warm", help="put a prefix into the provider's prompt cache, and keep it there")
    warm_command.add_parser(warm)
    warm.set_defaults(run=lambda options: warm_command.run(options, os.environ, sys.stdout, sys.stderr))
    cache_command.add(commands, opened)
    near = commands.add_parser("semantic", help="how good the semantic cache is, in figures; fit its verifier")
    semantic_command.add(near.add_subparsers(title="commands", required=True, metavar="COMMAND"))
    near.set_defaults(run=lambda options: semantic_command.run(options, opening(time.time), sys.stdout, sys.stderr))
    saved = commands.add_parser(
        "savings", help="what the warming of prompt caches saves and loses, by model and fan-out"
    )
    savings.add_parser(saved)
    saved.set_defaults(run=lambda options: savings.run(options, sys.stdout, sys.stderr))
    demo = commands.add_parser("demo", help="drive sample traffic through the proxy with the simulated provider")
    demo.set_defaults(run=_run_demo)
    return parser


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML; see configs/")
    for name, path, kind, told in (
        ("--host", "listen.host", str, "address to listen on"),
        ("--port", "listen.port", int, "port to listen on; 0 takes a free one"),
        ("--workers", "listen.workers", int, "processes that share the port"),
        ("--upstream", "upstream.base_url", str, "the provider, e.g. https://api.openai.com/v1, or `simulated`"),
        ("--record", "record.dir", str, "write sessions as delta JSONL into this directory"),
        ("--log", "log.format", str, "text or json"),
        ("--log-level", "log.level", str, "debug, info, warning or error"),
    ):
        parser.add_argument(name, dest=path, type=kind, help=told, metavar=name.strip("-").upper())
    parser.add_argument(
        "--log-requests", dest="log.requests", action="store_true", default=None, help="one log line for each request"
    )
    parser.set_defaults(run=_run_serve)


def settings_of(options: argparse.Namespace, *, needs: bool = True) -> Settings:
    """The configuration file, with the environment and then the flags laid over it. Raises `ConfigError`; with `needs`
    also for what a server would lack (keys, places on disk)."""
    flags = {name: value for name, value in vars(options).items() if "." in name and value is not None}
    if options.config is None:
        return loads("", "defaults", env=os.environ, changes=flags, needs=needs)
    return load(options.config, env=os.environ, changes=flags, needs=needs)


def _run_serve(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    secrets = secrets_of(settings, os.environ)
    log.setup(settings.log.level, settings.log.format, sys.stderr, secrets=secrets)
    return serve.serve(settings, os.environ)


def _replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--strategy",
        default="none,exact",
        help="comma-separated: " + "; ".join(f"{name}: {told}" for name, told in replay.TOLD.items()),
    )
    parser.add_argument("--model", help="simulate and price all requests as this model")
    parser.add_argument(
        "--arrivals",
        choices=replay.ARRIVALS,
        default=replay.ARRIVALS[0],
        help="as recorded, or the sessions of one task together",
    )
    parser.add_argument(
        "--branches",
        type=int,
        default=1,
        metavar="N",
        help="send each request as N that differ in a short last message",
    )
    parser.add_argument(
        "--hit", type=float, metavar="P", help="how often a best-effort cache is taken to have what it should, 0 to 1"
    )
    parser.add_argument(
        "--calibrate", action="store_true", help="hold the simulated caches against recorded usage, and fit --hit to it"
    )
    parser.add_argument("--per-session", action="store_true", help="dollars by session, too")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a page with plots")
    parser.add_argument("--config", type=Path, metavar="FILE", help="whose prices and life time of answers count")
    parser.add_argument(
        "--ttl", type=float, metavar="SECONDS", help="how long an answer is kept; else as --config says, else for ever"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=_run_replay)


def _run_replay(options: argparse.Namespace) -> int:
    settings = settings_of(options, needs=False)
    ttl = options.ttl
    if ttl is None and options.config is not None:
        levels = settings.cache.multi_level
        ttl = max(levels.l1.ttl * levels.l1.enabled, levels.l2.ttl * stores_on_disk(settings))
    counter = TokenCounter(None, os.environ)
    counter.load()
    asked = replay.Options(
        files=tuple(options.files),
        strategies=tuple(name for name in options.strategy.split(",") if name),
        model=options.model,
        ttl=ttl,
        json=options.json,
        prices=prices_of(settings, time.time()),
        counter=counter,
        arrivals=options.arrivals,
        branches=options.branches,
        hit=options.hit,
        calibrate=options.calibrate,
        chances=lambda: random.Random(0).random,
        per_session=options.per_session,
        report=options.report,
    )
    return replay.run(asked, sys.stdout, sys.stderr)


def _run_demo(options: argparse.Namespace) -> int:
    return demo.run(sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
