"""From a stream of the Responses API to the whole answer it amounts to.

The terminal event carries the whole answer, so nothing is merged here. What has to be seen to is that it tells the
truth: vLLM and several gateways send it with an empty `output`, or with the last token in place of the text (issues of
vLLM, LiteLLM and others, read 2026-11). An empty one is filled from the items that the stream reported as done; one
that contradicts them is unfoldable, and the stream can then only be kept as it came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from adapters.body import event_of, mapping
from adapters.errors import Unfoldable
from adapters.sse import Frame

ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
"""Types of the terminal events. The last is in no type of OpenAI's client, but its status is, and others send it."""

_TOLD = {
    "": "created queued in_progress completed incomplete failed cancelled",
    "output_item": "added done",
    "content_part": "added done",
    "output_text": "delta done annotation.added",
    "refusal": "delta done",
    "audio": "delta done",
    "audio.transcript": "delta done",
    "function_call_arguments": "delta done",
    "custom_tool_call_input": "delta done",
    "mcp_call_arguments": "delta done",
    "reasoning_text": "delta done",
    "reasoning_summary_part": "added done",
    "reasoning_summary_text": "delta done",
    "code_interpreter_call": "in_progress interpreting completed",
    "code_interpreter_call_code": "delta done",
    "file_search_call": "in_progress searching completed",
    "web_search_call": "in_progress searching completed",
    "image_generation_call": "in_progress generating partial_image completed",
    "mcp_call": "in_progress completed failed",
    "mcp_list_tools": "in_progress completed failed",
    "shell_call_command": "added delta done",
    "shell_call_output_content": "delta done",
    "compaction": "compacting",
    "steer": "accepted pending failed",
}
"""What is told of each thing (types of OpenAI's client 3.52, read 2026-11)."""

EVENTS = frozenset(
    {
        "error",
        *(".".join(filter(None, ("response", thing, what))) for thing, told in _TOLD.items() for what in told.split()),
    }
)

_ADDED, _DONE = "response.output_item.added", "response.output_item.done"

_decode = msgspec.json.Decoder().decode


def is_end(frame: Frame) -> bool:
    """A terminal event, with the response that it must carry.

    Bytes decide for nearly every event. The rest is decoded: a text may name a terminal event, and one whose bytes are
    cut off is none.
    """
    return _may_end(frame.raw) and _ends(event_of(frame), frame)


def _may_end(raw: bytes) -> bool:
    # Deltas have no member `response`: one search is all that they cost.
    return b'"response"' in raw and (
        b"response.completed" in raw
        or b"response.incomplete" in raw
        or b"response.failed" in raw
        or b"response.cancelled" in raw
    )


def _ends(event: Mapping[str, Any], frame: Frame) -> bool:
    return isinstance(event.get("response"), dict) and type_of(event, frame) in ENDS


def is_error(frame: Frame) -> bool:
    """An event of the type `error`, or an object with a non-null `error`: OpenAI documents `code` and `message` in the
    event itself, sends them in a member `error`, and its clients look only for that (read 2026-11)."""
    if b"error" not in frame.raw:
        return False
    if frame.event == "error":
        return True
    return b'"error"' in frame.raw and _is_error(event_of(frame))


def _is_error(event: Mapping[str, Any]) -> bool:
    return event.get("type") == "error" or event.get("error") is not None or event.get("object") == "error"


def type_of(event: Mapping[str, Any], frame: Frame) -> str:
    """What OpenAI's client goes by is the member `type`; the `event` field counts only where there is none."""
    kind = event.get("type", frame.event)
    return kind if isinstance(kind, str) else ""


class Streamed(NamedTuple):
    """What a stream said of itself."""

    response: dict[str, Any] | None
    """Of the terminal event; None where there is none."""
    items: list[dict[str, Any]]
    """The output items that were done, in the order of their indices."""
    unfinished: bool
    """Whether an item was begun that was never done."""
    spoke: bool
    """Whether there was any event about the output."""
    error: bool


def read(frames: Sequence[Frame]) -> Streamed:
    """Whatever follows the terminal event (`[DONE]`, from some servers) is not looked at."""
    added: set[int] = set()
    done: dict[tuple[int, str], dict[str, Any]] = {}
    spoke = error = False
    for frame in frames:
        raw = frame.raw
        spoke = spoke or b'"output_index"' in raw
        if not (b".output_item." in raw or b"error" in raw or _may_end(raw)):
            continue  # a delta: most events are
        event = _event(frame)
        if _ends(event, frame):
            unfinished = bool(added - {place for place, _ in done})
            return Streamed(event["response"], _ordered(done), unfinished, spoke, error)
        kind, item = type_of(event, frame), event.get("item")
        if kind in (_ADDED, _DONE) and isinstance(item, dict):
            index = event.get("output_index")
            place = index if type(index) is int else len(done)
            if kind == _ADDED:
                added.add(place)
            else:
                done[place, _name(item)] = item
        error = error or frame.event == "error" or _is_error(event)
    return Streamed(None, _ordered(done), False, spoke, error)


def _event(frame: Frame) -> dict[str, Any]:
    """Like `event_of`, but nothing is kept: the answer may be changed by whoever gets it."""
    try:
        return mapping(_decode(frame.data)) if frame.data else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def _name(item: Mapping[str, Any]) -> str:
    """Tells apart items under one index: some gateways number nothing."""
    name = item.get("id") or item.get("call_id")
    return name if isinstance(name, str) else ""


def _ordered(done: Mapping[tuple[int, str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for (place, _), item in sorted(done.items(), key=lambda entry: entry[0][0])]


def fold(frames: Sequence[Frame]) -> dict[str, Any]:
    streamed = read(frames)
    response = streamed.response
    if streamed.error:
        raise Unfoldable("the stream reports an error")
    if response is None:
        raise Unfoldable("the stream has no terminal event")
    output = response.get("output")
    if output:
        if not isinstance(output, list):
            raise Unfoldable("the output is no list")
        if Counter(map(_said, streamed.items)) - Counter(map(_said, output)):
            raise Unfoldable("the terminal event contradicts the items that were done")
        return response
    if response.get("status") in ("failed", "cancelled"):
        return response  # a failure has no output, whatever had been said before
    if streamed.unfinished or (streamed.spoke and not streamed.items):
        raise Unfoldable("neither the terminal event nor the items hold the whole output")
    return {**response, "output": streamed.items} if streamed.items else response


def _said(item: Any) -> tuple[str, ...]:
    """Type and texts of an item: what must be the same wherever it stands. Ids, statuses and ciphers may differ."""
    item = mapping(item)
    parts = [part for name in ("summary", "content") if isinstance(item.get(name), list) for part in item[name]]
    texts = [mapping(part).get(name) for part in parts for name in ("text", "refusal")]
    members = [item.get("type"), item.get("name"), item.get("arguments"), item.get("input"), *texts]
    return tuple(member for member in members if isinstance(member, str))
