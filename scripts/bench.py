"""The benchmark: Warmgate against bare servers that do the unavoidable part of its work, in one run, in turns.

Every contestant is a process of its own on loopback; rounds alternate between them, and what is printed are medians
over the rounds. Ratios are those of one round to its yardstick in the same round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import sys
from typing import Any, NamedTuple

import aiohttp
from bench_cache import PARTS, cache
from bench_embedding import embedding
from bench_fleet import Fleet, Generator, Server, cores, warmgate_missing
from bench_memory import memory
from bench_table import first_byte_table, table
from bench_translation import translation
from bench_warming import warming

SIZES = (1_000, 30_000)
CONCURRENCY = (1, 16, 64)


class Scenario(NamedTuple):
    name: str
    yardstick: str
    contestants: tuple[str, ...]
    unique: bool
    stream: bool


SCENARIOS = (
    Scenario("hit", "ideal-hit", ("static", "ideal-hit", "warmgate-l1", "warmgate-l2"), unique=False, stream=False),
    Scenario("forwarded", "relay", ("relay", "warmgate-off", "warmgate-on"), unique=True, stream=False),
    Scenario("stream", "relay", ("relay", "warmgate-off", "warmgate-on"), unique=True, stream=True),
)


class Pace(NamedTuple):
    rounds: int
    seconds: float
    """Of one cell."""
    warm: float
    pairs: int
    """Alternating measurements of the time to the first byte."""


FULL = Pace(rounds=5, seconds=0.75, warm=0.1, pairs=400)
QUICK = Pace(rounds=3, seconds=0.15, warm=0.05, pairs=120)

Key = tuple[str, int, int, str]
"""Scenario, bytes of the body, concurrency, contestant."""


def measure(
    generator: Generator, servers: dict[str, Server], pace: Pace, chosen: tuple[Scenario, ...]
) -> dict[Key, list[dict[str, Any]]]:
    """Every cell of every round; contestants in turns, the order reversed in every other round."""
    results: dict[Key, list[dict[str, Any]]] = {}
    for turn in range(pace.rounds):
        for scenario in chosen:
            present = [name for name in scenario.contestants if name in servers]
            for size in SIZES:
                for concurrency in CONCURRENCY:
                    for name in present if turn % 2 == 0 else present[::-1]:
                        cell = one(generator, servers, scenario, size, concurrency, name, pace)
                        results.setdefault((scenario.name, size, concurrency, name), []).append(cell)
        print(f"round {turn + 1} of {pace.rounds}", file=sys.stderr)
    return results


def one(
    generator: Generator,
    servers: dict[str, Server],
    scenario: Scenario,
    size: int,
    concurrency: int,
    name: str,
    pace: Pace,
) -> dict[str, Any]:
    server = servers[name]
    cell = generator.order(
        do="load",
        port=server.port,
        pid=server.pid,
        upstream_pid=servers["upstream"].pid,
        size=size,
        stream=scenario.stream,
        unique=scenario.unique,
        concurrency=concurrency,
        seconds=pace.seconds,
        warm=pace.warm,
    )
    if cell["failure"]:
        raise SystemExit(f"{scenario.name}, {name}: {cell['failure']}")
    status = next((line for line in cell["head"].split("\r\n") if line.startswith("cache-status:")), "")
    if name.startswith("warmgate") and (scenario.name == "hit") != ("hit" in status):
        raise SystemExit(f"{scenario.name}, {name}: this was not what it claims to be ({status or 'no Cache-Status'})")
    return cell


def first_bytes(generator: Generator, servers: dict[str, Server], pairs: int) -> list[dict[str, Any]]:
    """For streams: what ours adds to the time to the first byte of the body, against the relay, one call at a time."""
    rows = []
    for name in ("warmgate-off", "warmgate-on"):
        for size in SIZES if name in servers else ():
            ports = [servers["relay"].port, servers[name].port]
            result = generator.order(do="alternate", ports=ports, size=size, stream=True, count=pairs)
            if result["failure"]:
                raise SystemExit(f"first byte, {name}: {result['failure']}")
            relay, ours = result["firsts"]
            added = statistics.median(mine - bare for mine, bare in zip(ours, relay, strict=True))
            rows.append(
                {
                    "contestant": name,
                    "size": size,
                    "relay": statistics.median(relay),
                    "ours": statistics.median(ours),
                    "added": added,
                }
            )
    return rows


def summary(results: dict[Key, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One row per cell: medians over the rounds, and the median of each round's ratio to its yardstick."""
    yardsticks = {scenario.name: scenario.yardstick for scenario in SCENARIOS}
    rows = []
    for (scenario, size, concurrency, name), cells in results.items():
        yardstick = results[(scenario, size, concurrency, yardsticks[scenario])]
        row: dict[str, Any] = {"scenario": scenario, "size": size, "concurrency": concurrency, "contestant": name}
        for fact in ("rate", "p50", "p99", "first", "cpu", "busy", "others_busy"):
            row[fact] = statistics.median(cell[fact] for cell in cells)
        pairs = list(zip(cells, yardstick, strict=True))
        row["ratio"] = statistics.median(mine["rate"] / bare["rate"] for mine, bare in pairs)
        row["cpu_ratio"] = statistics.median(mine["cpu"] / bare["cpu"] for mine, bare in pairs if bare["cpu"])
        rows.append(row)
    return rows


def machine() -> dict[str, Any]:
    load, contestants = cores()
    return {
        "python": platform.python_version(),
        "aiohttp": aiohttp.__version__,
        "cores": len(load | contestants) or os.cpu_count(),
        "pinned": f"load generator and upstream on core {min(load)}, contestants on core {min(contestants)}"
        if load.isdisjoint(contestants) and load
        else "not pinned: generator, upstream and contestants share what there is",
    }


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute, with more noise")
    parser.add_argument("--json", action="store_true", help="the figures as JSON (seconds), not as a table")
    only = [*(scenario.name for scenario in SCENARIOS), *PARTS]
    parser.add_argument("--only", choices=only, help=f"one scenario; of cache: one of {', '.join(PARTS)}")
    parser.add_argument("what", nargs="?", choices=["cache"], help="the levels of the cache, as --cache says too")
    parser.add_argument("--cache", action="store_true", help="latency of the levels, hit rates on traces, overhead")
    parser.add_argument("--translation", action="store_true", help="what translation between the two APIs adds")
    parser.add_argument("--warming", action="store_true", help="what the gate adds to a request, and remembers")
    parser.add_argument("--embedding", action="store_true", help="what a vector costs, alone and in company")
    parser.add_argument("--semantic", action="store_true", help="lookups of the semantic cache, without the embedding")
    parser.add_argument("--million", action="store_true", help="of --semantic: also at a million entries (2.5 GB)")
    parser.add_argument("--memory", action="store_true", help="unique keys: does memory stay flat?")
    parser.add_argument("--keys", type=int, default=200_000, help="of --memory")
    parser.add_argument("--contestant", default="warmgate-on", help="of --memory (ideal-hit is one that grows)")
    arguments = parser.parse_args()
    if arguments.only and (arguments.only in PARTS) != (arguments.cache or arguments.what == "cache"):
        parser.error(
            f"--only {arguments.only}: {', '.join(PARTS)} are parts of cache, the others scenarios of the proxy"
        )
    return arguments


def main() -> None:
    arguments = options()
    if arguments.cache or arguments.what == "cache":
        cache(arguments.only, quick=arguments.quick, as_json=arguments.json)
        return
    if arguments.embedding:
        embedding(3 if arguments.quick else 10)
        return
    if arguments.warming:
        warming(5 if arguments.quick else 60)
        return
    if arguments.semantic:
        from bench_semantic import semantic  # it takes FAISS, which the others do without

        semantic(million=arguments.million, quick=arguments.quick)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the fleet is ended then, too
    missing = warmgate_missing()
    if missing:
        print(f"without warmgate: `proxy.cli serve` does not run ({missing})", file=sys.stderr)
    with Fleet() as fleet:
        generator, upstream = fleet.generator(), fleet.bare("upstream")
        if arguments.memory:
            memory(fleet, generator, upstream, arguments.contestant, arguments.keys, missing)
            return
        if arguments.translation:
            translation(fleet, generator, upstream, (QUICK if arguments.quick else FULL).pairs, missing)
            return
        chosen = tuple(each for each in SCENARIOS if arguments.only in (None, each.name))
        names = dict.fromkeys(name for scenario in chosen for name in scenario.contestants)
        servers = {"upstream": upstream}
        for name in names:
            if not name.startswith("warmgate"):
                servers[name] = fleet.bare(name, upstream)
            elif not missing:
                servers[name] = fleet.warmgate(name, upstream)
        pace = QUICK if arguments.quick else FULL
        rows = summary(measure(generator, servers, pace, chosen))
        firsts = first_bytes(generator, servers, pace.pairs) if "relay" in servers else []
    if arguments.json:
        print(json.dumps({"machine": machine(), "cells": rows, "first_byte": firsts}, indent=1))
        return
    print(f"Python {platform.python_version()}, aiohttp {aiohttp.__version__}; {machine()['pinned']}.")
    print(table(rows))
    if firsts:
        print(first_byte_table(firsts))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
