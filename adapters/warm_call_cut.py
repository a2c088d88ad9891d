"""The conversation of a warm call: cut where the shared prefix ends, with the least behind it that makes it legal.

What is kept is kept to the byte. A message of the assistant is kept whole where the prefix ends inside it, since half
of one may be no legal message; calls whose results are cut away get results of one character. That is also what stands
where a provider wants a user's message: nothing of it can be read by anyone, and it costs a handful of tokens.

Rules (Anthropic's API reference and caching guide, OpenAI's types and error texts as quoted by its users, read
2026-11): every call has its result in the next turn; no conversation is empty; a call in Responses has its output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from adapters.body import mapping
from adapters.breakpoint_prompt import blocks_of, listed
from adapters.prompt_blocks import CHAT, MESSAGES, OUTPUTS
from adapters.spans import Path
from adapters.tokens import PER_MESSAGE, estimate_value
from adapters.warm_call_form import Refusal

ANY = "."
"""A text that a provider takes for one."""

ASKED = {"role": "user", "content": ANY}
ANSWERING = frozenset({"user", "tool", "function"})
"""Who a model answers to, at any server of chat completions."""

ANSWERS = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
"""Calls in Responses that a text answers. Those of computers, shells and the like want more than that."""

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Cut(NamedTuple):
    """What of the body changes."""

    members: dict[str, bytes]
    left_out: tuple[str, ...]
    tokens: int
    """Estimate of what stands behind the prefix."""


def cut(
    shell: Mapping[str, msgspec.Raw], parsed: Mapping[str, Any], api: str, path: Path, *, bare: bool, silent: bool
) -> Cut | Refusal:
    """`path`: of the last block of the prefix, which exists. `shell`: the members of the body. `bare`: nothing may be
    added behind the prefix. `silent`: nothing is generated, so that nobody has to be answered."""
    level, rest = path[0], "input" if api not in (MESSAGES, CHAT) else "messages"
    if level != rest:
        if bare:
            return Refusal("no message would be left")
        members = {rest: b"[" + _encode(ASKED) + b"]", **_head(shell, path)}
        return Cut(members, ("system", "instructions") if level == "tools" else (), _tokens([ASKED]))
    if not isinstance(parsed.get(rest), list):
        return Cut({}, (), 0)  # a text is the whole input
    if len(path) < 2 or not isinstance(path[1], int):
        return Refusal("no such block")
    kept = _Kept(shell[rest], parsed[rest][: path[1] + 1], path)
    added = _after_messages(kept) if api == MESSAGES else _after_chat(kept) if api == CHAT else _after_items(kept)
    if isinstance(added, Refusal):
        return added
    if api == CHAT and not added and not bare and kept.role not in ANSWERING:
        added = [ASKED]
    if api not in (MESSAGES, CHAT) and not silent and not bare and not _asks(kept.parsed):
        added = [*added, ASKED]
    if bare and added:
        return Refusal("the prefix ends where no request can")
    return Cut({rest: kept.array(added)}, (), kept.behind + _tokens(added))


def _head(shell: Mapping[str, msgspec.Raw], path: Path) -> dict[str, bytes]:
    """The tools, or the blocks of the system prompt, up to the last that is shared."""
    name, place = str(path[0]), path[1] if len(path) > 1 else None
    if not isinstance(place, int):
        return {}
    return {name: _array(_elements(shell[name])[: place + 1])}


class _Kept:
    """The messages, or items, up to the one that the prefix ends in, and that one up to where it ends."""

    def __init__(self, raw: msgspec.Raw, parsed: list[Any], path: Path) -> None:
        self.parsed, self._raw = parsed, _elements(raw)[: len(parsed)]
        self.last = mapping(parsed[-1])
        role = self.last.get("role")
        self.role = role if isinstance(role, str) else ""
        self.blocks: list[Any] = []
        """To stand at the end of the last message."""
        self.behind = 0
        self.member, self._parts = "", 0
        if len(path) > 3 and isinstance(path[2], str) and isinstance(path[3], int):
            after = self.last[path[2]][path[3] + 1 :]
            if self.role == "assistant":
                self.behind = sum(map(estimate_value, after))
            else:
                self.member, self._parts = path[2], path[3] + 1
                self.last = {**self.last, path[2]: self.last[path[2]][: self._parts]}
                self.parsed = [*parsed[:-1], self.last]

    def array(self, added: Sequence[Any]) -> bytes:
        elements = [bytes(element) for element in self._raw]
        if self.member:
            inside = dict(_members(self._raw[-1]))
            parts = [*map(bytes, _elements(inside[self.member])[: self._parts]), *map(_encode, self.blocks)]
            elements[-1] = _object({**inside, self.member: b"[" + b",".join(parts) + b"]"})
        return b"[" + b",".join([*elements, *map(_encode, added)]) + b"]"


def _after_messages(kept: _Kept) -> list[dict[str, Any]] | Refusal:
    """Results for the calls that have lost theirs: in the turn that has begun to give them, or in one of their own."""
    turn, before = _last_turns(kept.parsed)
    if kept.role == "assistant":
        called = [block.get("id") for block in turn if block.get("type") == "tool_use"]
        return [{"role": "user", "content": _results(called)} if called else ASKED]
    given = [block.get("tool_use_id") for block in turn if block.get("type") == "tool_result"]
    missing = [block.get("id") for block in before if block.get("type") == "tool_use" and block.get("id") not in given]
    if not missing:
        return []
    if kept.member:
        kept.blocks = _results(missing)
        kept.behind += sum(map(estimate_value, kept.blocks))
        return []
    return [{"role": "user", "content": _results(missing)}]


def _results(called: list[Any]) -> list[dict[str, Any]]:
    return [{"type": "tool_result", "tool_use_id": name, "content": ANY} for name in called]


def _last_turns(messages: list[Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The blocks of the last turn, and of the assistant's before it if it is a user's. Messages of one role that follow
    one another are one turn."""
    turns: list[tuple[Any, list[dict[str, Any]]]] = []
    for message in reversed(messages):
        role, blocks = mapping(message).get("role"), blocks_of(mapping(message).get("content"))
        if turns and turns[-1][0] == role:
            turns[-1] = (role, blocks + turns[-1][1])
        elif len(turns) == 2:
            break
        else:
            turns.append((role, blocks))
    before = turns[1][1] if len(turns) > 1 and turns[0][0] == "user" and turns[1][0] == "assistant" else []
    return (turns[0][1] if turns else []), before


def _after_chat(kept: _Kept) -> list[dict[str, Any]]:
    given: list[Any] = []
    for message in map(mapping, reversed(kept.parsed)):
        if message.get("role") == "tool":
            given.append(message.get("tool_call_id"))
            continue
        called = [call.get("id") for call in listed(message.get("tool_calls"))]
        return [{"role": "tool", "tool_call_id": name, "content": ANY} for name in called if name not in given]
    return []


def _after_items(kept: _Kept) -> list[dict[str, Any]] | Refusal:
    if kept.last.get("type") == "reasoning":
        return Refusal("the prefix ends with reasoning")  # it is refused without the item that follows it
    items = [mapping(item) for item in kept.parsed]
    given = [item.get("call_id") for item in items if str(item.get("type")).endswith("_output")]
    added: list[dict[str, Any]] = []
    for item in items:
        kind, name = str(item.get("type")), item.get("call_id")
        if not kind.endswith("_call") or name is None or name in given:
            continue
        if kind not in ANSWERS:
            return Refusal(f"{kind} without its output")
        added.append({"type": ANSWERS[kind], "call_id": name, "output": ANY})
    return added


def _asks(items: list[Any]) -> bool:
    """Whether anything is there that a model answers to."""
    return any(item.get("role") == "user" or item.get("type") in OUTPUTS for item in map(mapping, items))


def _tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    return sum(PER_MESSAGE + estimate_value(message.get("content", message.get("output"))) for message in messages)


def _array(elements: Sequence[msgspec.Raw]) -> bytes:
    return b"[" + b",".join(map(bytes, elements)) + b"]"


def _object(members: Mapping[str, msgspec.Raw | bytes]) -> bytes:
    return b"{" + b",".join(_encode(name) + b":" + bytes(value) for name, value in members.items()) + b"}"
