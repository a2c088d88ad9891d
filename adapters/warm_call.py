"""The body of a warm call: the smallest legal request that has a provider cache a prefix.

Everything that the provider counts as a part of the prefix is as in the real request, to the byte: model, tools, system
prompt, messages up to the last shared block, thinking, effort, output format, service tier, cache key. What only says
how an answer travels or what is told of it is left out (`stream`, `n`, `stop`), and nothing is kept at the provider.

Source: the rules in `warm_call_form` and `warm_call_cut`; OpenAI's and Anthropic's guides on prompt caching (2026-09,
2026-08) for what belongs to a prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from adapters.body import mapping
from adapters.breakpoint_prompt import listed
from adapters.marking import BREAKPOINT, CONTROL, OPTIONS, Place, explicit, is_marked, legal, marked
from adapters.profiles import Profile
from adapters.prompt_blocks import CHAT, MESSAGES, RESPONSES, block_at, wire_of
from adapters.spans import Path, value_at
from adapters.warm_call_cut import Cut, cut
from adapters.warm_call_form import CAPS, Form, Refusal, form_of

TARGETS = {MESSAGES: "/messages", CHAT: "/chat/completions", RESPONSES: "/responses"}

LEFT_OUT = {
    # The automatic breakpoint would stand at the placeholder.
    MESSAGES: {"stream", "stop_sequences", "diagnostics", "fallbacks", "fallback_credit_token", CONTROL},
    # Metadata are refused where nothing is stored; of a prediction every token that is not said is billed.
    CHAT: {"stream", "stream_options", "n", "logprobs", "top_logprobs", "stop", "store", "metadata", "prediction"}
    | {*CAPS, CONTROL},
    RESPONSES: {"stream", "stream_options", "include", "top_logprobs", "background", "generate"},
}
"""Members that are in no prefix."""

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class WarmBody(NamedTuple):
    target: str
    """Path below the base URL."""
    body: bytes
    parsed: dict[str, Any]
    form: str
    """What it is, and why it is not less."""
    output: int
    """Tokens of output it may be billed for at most, hidden reasoning among them."""
    placeholder_tokens: int
    """Estimate of what stands behind the prefix."""


def warm_call(
    raw: bytes,
    parsed: Mapping[str, Any],
    *,
    api: str,
    profile: Profile,
    path_end: Path,
    model: str,
    thinks: str = "",
    life: str = "",
) -> WarmBody | Refusal:
    """A request that warms the prefix of `raw` which ends with the block at `path_end` (`prompt_blocks.blocks`).

    `parsed` is `raw` decoded by its dialect. `thinks`: the type of thinking that the model has where a request names
    none; empty to go by its name. `life`: of what is written, where a breakpoint says so. Where siblings are marked,
    they must be marked at the same block, and sent by `marking.explicit` where that makes a difference.
    """
    block = block_at(parsed, path_end, api, wire_of(api, profile))
    if block is None:
        return Refusal("no such block")
    counted = _counted(parsed, profile, path_end)
    form = form_of(counted, api, profile, model, thinks)
    if isinstance(form, Refusal):
        return form
    if form.breakpoint and not block.markable:
        return Refusal("no breakpoint can stand there")
    shell = _members(raw)
    kept = cut(shell, parsed, api, path_end, bare=form.truncated, silent=not form.output)
    if isinstance(kept, Refusal):
        return kept
    body = _assembled(shell, parsed, api, form, kept, counted)
    if form.breakpoint:
        marks = _with_breakpoint(body, api, profile, Place(path_end, life))
        if isinstance(marks, Refusal):
            return marks
        body = marks
    made = msgspec.json.decode(body)
    if lost := next(_lost(parsed, made, profile.breaks.items(), _level(parsed, path_end)), ""):
        return Refusal(f"{lost} behind the prefix")
    return WarmBody(TARGETS[api], body, made, form.why, form.output, kept.tokens)


def _counted(parsed: Mapping[str, Any], profile: Profile, path: Path) -> dict[str, Any]:
    """The request without a choice of tools that counts only behind the prefix: it may name one that is cut away, and
    where one is forced, the provider has no form without output."""
    level = str(path[0])
    counts = level not in ("tools", "system") or level in profile.breaks.get("tool_choice", ())
    return {name: value for name, value in parsed.items() if counts or name != "tool_choice"}


def _level(parsed: Mapping[str, Any], path: Path) -> str:
    """Of OpenAI's APIs, too: the messages that instruct and lead are the system prompt."""
    if path[0] in ("tools", "system", "instructions"):
        return "tools" if path[0] == "tools" else "system"
    items, place = parsed.get(str(path[0])), path[1] if len(path) > 1 else None
    if not isinstance(items, list) or not isinstance(place, int):
        return "messages"
    roles = [mapping(item).get("role") for item in items[: place + 1]]
    return "system" if all(role in ("system", "developer") for role in roles) else "messages"


def _lost(
    before: Mapping[str, Any], after: Mapping[str, Any], breaks: Iterable[tuple[str, Sequence[str]]], level: str
) -> Iterator[str]:
    """What breaks the prefix wherever in the request it stands, and is not in the warm call any more."""
    for name, levels in breaks:
        sees = SEEN.get(name)
        if sees is not None and level in levels and any(map(sees, _parts(before))) != any(map(sees, _parts(after))):
            yield name


def _parts(parsed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of all messages and items, and those that they hold."""
    for holder in (*listed(parsed.get("messages")), *listed(parsed.get("input")), {"content": parsed.get("system")}):
        for part in (*listed(holder.get("content")), *listed(holder.get("output")), mapping(holder.get("output"))):
            yield part
            yield from listed(part.get("content"))


def _is_image(part: Mapping[str, Any]) -> bool:
    return part.get("type") in ("image", "image_url", "input_image", "computer_screenshot")


def _cites(part: Mapping[str, Any]) -> bool:
    return mapping(part.get("citations")).get("enabled") is True


SEEN: dict[str, Callable[[Mapping[str, Any]], bool]] = {"images": _is_image, "citations": _cites}
"""Changes that profiles name, and by which parts they are seen."""


def _assembled(
    shell: Mapping[str, msgspec.Raw],
    parsed: Mapping[str, Any],
    api: str,
    form: Form,
    kept: Cut,
    counted: Mapping[str, Any],
) -> bytes:
    members: dict[str, bytes] = {
        name: bytes(value)
        for name, value in shell.items()
        if name in counted and name not in LEFT_OUT[api] and name not in kept.left_out
    }
    members |= kept.members
    for name, value in form.body.items():
        given = mapping(parsed.get(name)) if isinstance(value, dict) else {}
        members[name] = _encode({**given, **value} if isinstance(value, dict) else value)
    if api == RESPONSES:
        members["store"] = b"false"
    if OPTIONS in members and (options := mapping(msgspec.json.decode(members[OPTIONS]))):
        members[OPTIONS] = _encode({name: value for name, value in options.items() if name != "comparison_response_id"})
    return b"{" + b",".join(_encode(name) + b":" + value for name, value in members.items()) + b"}"


def _with_breakpoint(body: bytes, api: str, profile: Profile, place: Place) -> bytes | Refusal:
    wire, parsed = wire_of(api, profile), msgspec.json.decode(body)
    if not is_marked(value_at(parsed, place.path)):
        places = legal(parsed, [place], api=api, wire=wire)
        if not places:
            return Refusal("no breakpoint is left")
        body = marked(body, parsed, api=api, places=places, wire=wire)
    return explicit(body, parsed) if wire == BREAKPOINT else body
