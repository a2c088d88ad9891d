"""Tokens as Anthropic's Messages API counts them: what was read from and written to its cache beside the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.body import event_of, mapping
from adapters.sse import Frame
from adapters.usage import Usage, count

COUNTERS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
CLASSES = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
CARRYING = ("message_start", "message_delta")


def usage(message: Mapping[str, Any]) -> Usage | None:
    """Of a whole message, of `message_start` or of `message_delta`; None where nothing is counted."""
    counted = _counted(message)
    return _usage(counted) if counted is not None else None


def stream_usage(frames: Sequence[Frame]) -> Usage | None:
    """The last value of each counter: `message_start` knows the input and its write classes, `message_delta` repeats
    the totals so far, without the classes (reference of streaming, read 2026-11)."""
    total: dict[str, Any] = {}
    for frame in frames:
        if b'"usage"' not in frame.raw:
            continue
        event = event_of(frame)
        if event.get("type") in CARRYING:
            total |= {name: value for name, value in (_counted(event) or {}).items() if value is not None}
    return _usage(total)


def _counted(message: Mapping[str, Any]) -> dict[str, Any] | None:
    found = message.get("usage")
    if found is None:
        found = mapping(message.get("message")).get("usage")
    return found if isinstance(found, dict) else None


def _usage(counted: Mapping[str, Any]) -> Usage | None:
    if not any(type(counted.get(name)) is int for name in COUNTERS):
        return None
    bill = _bill(counted)
    written = count(bill, "cache_creation_input_tokens")
    classes = mapping(bill.get("cache_creation"))
    write_1h = count(classes, "ephemeral_1h_input_tokens")
    # Where the classes are unknown, or the total went on growing after they were told, the rest is of the default one.
    write_5m = max(written - write_1h, count(classes, "ephemeral_5m_input_tokens"))
    output = count(bill, "output_tokens")
    thought = count(mapping(bill.get("output_tokens_details")), "thinking_tokens")
    return Usage(
        uncached=count(bill, "input_tokens"),
        read=count(bill, "cache_read_input_tokens"),
        write_5m=write_5m,
        write_1h=write_1h,
        output=output,
        reasoning=min(thought, output),
    )


def _bill(counted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The counters, or the sum of those of all iterations: a compaction, and whatever else ran at the provider on the
    way, is billed and not in the totals (beta types, read 2026-11)."""
    iterations = counted.get("iterations")
    if not isinstance(iterations, list) or not iterations or not all(map(_counts, iterations)):
        return counted
    summed = {name: sum(count(each, name) for each in iterations) for name in COUNTERS}
    classes = [each["cache_creation"] for each in iterations if isinstance(each.get("cache_creation"), dict)]
    told = {name: sum(count(each, name) for each in classes) for name in CLASSES} if classes else None
    return {**counted, **summed, "cache_creation": told or counted.get("cache_creation")}


def _counts(iteration: Any) -> bool:
    return isinstance(iteration, dict) and any(type(iteration.get(name)) is int for name in COUNTERS)
