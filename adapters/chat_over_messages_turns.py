"""A conversation in chat completions as `system` and turns of the Messages API.

Rendered so that a longer conversation begins with the very bytes of a shorter one: content is always an array, a turn
that grows (results of tools, then the user's text) grows at its end, and nothing depends on what comes later, except
where a system message may stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from adapters.capabilities import Capabilities
from adapters.chat_over_messages_assistant import assistant_blocks, identity_of
from adapters.chat_over_messages_content import BLIND, USER, system_blocks, tool_result, user_blocks
from adapters.chat_over_messages_notes import UNMARKABLE, Block, Notes
from adapters.errors import Refused

SYSTEM_ROLES = ("system", "developer")


@dataclass(slots=True)
class Turn:
    """One message that says something, and later a turn of the conversation."""

    role: str
    """`user`, `assistant`, `system`, and of a message also `tool`."""
    blocks: list[Block]
    place: int
    """Of its first message."""
    plain: list[Block]
    """The blocks with the arguments of tool calls decoded; the very list where there are none."""
    results: int = 0
    """So many of its blocks, the first, are results of tools."""


class Conversation(NamedTuple):
    system: list[Block]
    turns: list[Turn]

    def sent(self) -> list[dict[str, Any]]:
        return [{"role": turn.role, "content": turn.blocks} for turn in self.turns]

    def decoded(self, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What is sent, with the arguments of tool calls decoded."""
        return [
            one if turn.plain is turn.blocks else {"role": turn.role, "content": turn.plain}
            for one, turn in zip(sent, self.turns, strict=True)
        ]

    @property
    def unthought(self) -> bool:
        """Whether the last assistant turn calls tools and does not begin with a thought, which the provider demands as
        soon as thinking is `enabled` (extended thinking page, read 2026-08)."""
        last = next((turn for turn in reversed(self.turns) if turn.role == "assistant"), None)
        if last is None or last.blocks[0].get("type") in UNMARKABLE:
            return False
        return any(block.get("type") == "tool_use" for block in last.blocks)

    @property
    def prefilled(self) -> bool:
        return self.turns[-1].role == "assistant"


def conversation(messages: Any, known: Capabilities, notes: Notes) -> Conversation:
    """Raises `Refused` (400) with the path of what can't be said."""
    if not isinstance(messages, list):
        raise Refused(400, "`messages` must be a non-empty array", param="messages")
    said = _read(messages, known, notes)
    start = next((place for place, one in enumerate(said) if one.role != "system"), len(said))
    if start == len(said):
        raise Refused(400, "there must be a message of the user", param="messages")
    if said[start].role != "user":
        raise Refused(400, "the first message must be the user's", param=f"messages[{said[start].place}]")
    system = [block for one in said[:start] for block in one.blocks]
    turns: list[Turn] = []
    for one, stands in zip(said[start:], _stands(said[start:]), strict=True):
        if one.role != "system" or (known.system_turns and stands and turns[-1].role != "assistant"):
            _append(turns, one)
        else:
            notes.warn("messages", "later system message moved to the front", at=f"messages[{one.place}]")
            system += one.blocks
    _check_end(turns[-1], known)
    return Conversation(system, turns)


def _read(messages: Sequence[Any], known: Capabilities, notes: Notes) -> list[Turn]:
    said: list[Turn] = []
    identities: set[str] = set()
    readers = USER if known.images else BLIND
    for place, message in enumerate(messages):
        path = f"messages[{place}]"
        if not isinstance(message, dict):
            raise Refused(400, "a message must be an object", param=path)
        role = message.get("role")
        if role == "user":
            blocks = user_blocks(message, path, notes, readers)
        elif role == "assistant":
            blocks, plain = assistant_blocks(message, path, notes)
            if blocks:
                said.append(Turn(role, blocks, place, plain))
                identities.update(_identities(blocks))
            continue
        elif role == "tool":
            identity = _answered(message, identities, path)
            blocks = [tool_result(message, identity, path, notes, readers)]
        elif role in SYSTEM_ROLES:
            blocks, role = system_blocks(message, path, notes), "system"
        elif role == "function":
            raise Refused(400, "functions have no equivalent at this provider: use tools", param=f"{path}.role")
        else:
            raise Refused(400, "`role` must be system, developer, user, assistant or tool", param=f"{path}.role")
        if blocks:
            said.append(Turn(role, blocks, place, blocks))
    return said


def _identities(blocks: Sequence[Block]) -> list[str]:
    """Ids of tool calls; a block that the client wrote itself may have anything for one."""
    ids = [block.get("id") for block in blocks if block.get("type") == "tool_use"]
    return [identity for identity in ids if isinstance(identity, str)]


def _answered(message: Mapping[str, Any], identities: set[str], path: str) -> str:
    identity = message.get("tool_call_id")
    path = f"{path}.tool_call_id"
    if not isinstance(identity, str):
        raise Refused(400, "`tool_call_id` must be a string", param=path)
    identity = identity_of(identity)
    if identity not in identities:
        raise Refused(400, "no tool call before this message has this id", param=path)
    return identity


def _stands(said: list[Turn]) -> list[bool]:
    """For each message whether a system message could stand there by what follows: nothing, or the assistant. What
    comes before must be the user's (mid-conversation system messages page, read 2026-11)."""
    places = []
    last = True
    for one in reversed(said):
        places.append(last)
        if one.role != "system":
            last = one.role == "assistant"
    return places[::-1]


def _append(turns: list[Turn], said: Turn) -> None:
    """Consecutive results are one turn, and what the user says next belongs to it. Otherwise messages stay apart: the
    provider joins them."""
    last = turns[-1] if turns else None
    if said.role == "tool":
        if last is None or not last.results:
            said.role, said.results = "user", 1
            turns.append(said)
        else:
            last.blocks[last.results : last.results] = said.blocks
            last.results += 1
    elif last is not None and said.role == last.role and (last.results or said.role == "system"):
        last.blocks += said.blocks
    else:
        turns.append(said)


def _check_end(last: Turn, known: Capabilities) -> None:
    """Prefill: the assistant's unfinished message, to be gone on with."""
    if last.role != "assistant":
        return
    path = f"messages[{last.place}]"
    if not known.prefill:
        raise Refused(400, "this model can't go on with a message of the assistant", param=path)
    end = last.blocks[-1].get("text")
    if isinstance(end, str) and end[-1:].isspace():
        raise Refused(400, "a message to be gone on with must not end with white space", param=path)
