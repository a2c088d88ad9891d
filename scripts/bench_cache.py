"""The levels of the cache: what they cost, how often they hit on stated workloads, and what keeping track takes.

Run as `scripts/bench cache [--quick] [--json] [--only latency|hits|overhead]`.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

from bench_cache_hits import hits, hits_text
from bench_cache_latency import latency, latency_text
from bench_cache_overhead import overhead, overhead_text

Part = tuple[Callable[..., Any], Callable[[Any], str]]

PARTS: dict[str, Part] = {
    "latency": (latency, latency_text),
    "hits": (hits, hits_text),
    "overhead": (overhead, overhead_text),
}
"""What measures, and what makes a text of its figures."""


def cache(only: str | None, *, quick: bool, as_json: bool) -> None:
    figures: dict[str, Any] = {}
    for name, (measure, told) in PARTS.items():
        if only in (None, name):
            print(f"{name} ...", file=sys.stderr, flush=True)
            figures[name] = measure(quick=quick)
            if not as_json:
                print(f"\n{name}\n{told(figures[name])}", flush=True)
    if as_json:
        machine = {"python": platform.python_version(), "cores": os.cpu_count()}
        print(json.dumps({"machine": machine, **figures}, indent=1))
