"""Whether memory stays flat under unique keys: every request a miss, its answer stored, all budgets as by default."""

from __future__ import annotations

from bench_fleet import Fleet, Generator, Server, resident

SAMPLES = 10
SHARE, BYTES = 0.01, 16
"""Growth over the last third of the samples that still counts as flat: this share of the memory, or so much per key."""


def memory(fleet: Fleet, generator: Generator, upstream: Server, name: str, keys: int, missing: str) -> None:
    if name.startswith("warmgate"):
        if missing:
            print("memory: skipped, there is no warmgate to measure")
            return
        server = fleet.warmgate(name, upstream)
    else:
        server = fleet.bare(name, upstream)
    series = [(0, resident(server.pid))]
    print(f"{'keys':>9}  {'RSS MB':>8}\n{0:>9,}  {series[0][1]:>8.1f}", flush=True)
    stored = 0
    while stored < keys:
        result = generator.order(
            do="load",
            port=server.port,
            pid=server.pid,
            upstream_pid=upstream.pid,
            size=1_000,
            stream=False,
            unique=True,
            concurrency=16,
            seconds=300,
            warm=0.0,
            count=max(1, keys // SAMPLES),
        )
        if result["failure"]:
            raise SystemExit(f"{name}: {result['failure']}")
        stored += result["requests"]
        series.append((stored, resident(server.pid)))
        print(f"{stored:>9,}  {series[-1][1]:>8.1f}", flush=True)
    print(verdict(series))


def verdict(series: list[tuple[int, float]]) -> str:
    """Flat, or by how many bytes per key the last third of the series grew."""
    (earlier, was), (later, now) = series[-1 - max(1, len(series) // 3)], series[-1]
    grown = now - was
    each = grown * 2**20 / (later - earlier)
    if grown <= was * SHARE or each <= BYTES:
        return f"flat: {grown:+.1f} MB from {earlier:,} to {later:,} keys; {now:.0f} MB at the end"
    return f"GROWING: {grown:+.1f} MB from {earlier:,} to {later:,} keys, {each:,.0f} bytes per key"
