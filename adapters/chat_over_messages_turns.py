"""A conversation in chat completions as `system` and turns of the Messages API.

Rendered so that a longer conversation begins with the very bytes of a shorter one: content is always an array, a turn
that grows (results of tools, then the user's text) grows at its end, and nothing depends on what comes later, except
where a system message may stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.capabilities import Capabilities
from adapters.chat_over_messages_assistant import assistant_blocks, identity_of
from adapters.chat_over_messages_content import BLIND, USER, system_blocks, tool_result, user_blocks
from adapters.chat_over_messages_notes import UNMARKABLE, Block, Notes
from adapters.errors import Refused

SYSTEM_ROLES = ("system", "developer")


Said = tuple[str, list[Block], list[Block], int]
"""One message that says something: its role, its blocks as they are sent, the same with the arguments of tool calls
decoded, and its place. A bare tuple: there is one for each message of each request."""


class Conversation:
    """`system`, and the turns twice: as they are sent, and with the arguments of tool calls decoded."""

    __slots__ = ("place", "plain", "results", "sent", "system")

    def __init__(self) -> None:
        self.system: list[Block] = []
        self.sent: list[dict[str, Any]] = []
        self.plain: list[dict[str, Any]] = []
        self.results = 0
        """So many blocks of the last turn, the first, are results of tools."""
        self.place = 0
        """Of the message with which the last turn began."""

    def add(self, said: Said) -> None:
        """Consecutive results are one turn, and what the user says next belongs to it. Otherwise messages stay apart:
        the provider joins them."""
        role, blocks, plain, place = said
        if role == "tool":
            if self.results:
                self.sent[-1]["content"][self.results : self.results] = blocks
                self.results += 1
                return
            role, results = "user", 1
        elif (role == "user" and self.results) or (role == "system" and self.sent[-1]["role"] == "system"):
            self.sent[-1]["content"] += blocks
            return
        else:
            results = 0
        turn = {"role": role, "content": blocks}
        self.sent.append(turn)
        self.plain.append(turn if plain is blocks else {"role": role, "content": plain})
        self.results, self.place = results, place

    @property
    def unthought(self) -> bool:
        """Whether the last assistant turn calls tools and does not begin with a thought, which the provider demands as
        soon as thinking is `enabled` (extended thinking page, read 2026-08)."""
        last = next((turn["content"] for turn in reversed(self.sent) if turn["role"] == "assistant"), None)
        if last is None or last[0].get("type") in UNMARKABLE:
            return False
        return any(block.get("type") == "tool_use" for block in last)

    @property
    def prefilled(self) -> bool:
        """Whether the last message is the assistant's, to be gone on with."""
        return bool(self.sent[-1]["role"] == "assistant")


def conversation(messages: Any, known: Capabilities, notes: Notes) -> Conversation:
    """Raises `Refused` (400) with the path of what can't be said."""
    if not isinstance(messages, list):
        raise Refused(400, "`messages` must be a non-empty array", param="messages")
    said = _read(messages, known, notes)
    roles = [role for role, _, _, _ in said]
    start = next((place for place, role in enumerate(roles) if role != "system"), len(said))
    if start == len(said):
        raise Refused(400, "there must be a message of the user", param="messages")
    if roles[start] != "user":
        raise Refused(400, "the first message must be the user's", param=f"messages[{said[start][3]}]")
    told = Conversation()
    told.system += [block for _, blocks, _, _ in said[:start] for block in blocks]
    stays = _stays(roles, start) if known.system_turns else frozenset()
    for place in range(start, len(said)):
        if roles[place] != "system" or place in stays:
            told.add(said[place])
        else:
            _, blocks, _, at = said[place]
            notes.warn("messages", "later system message moved to the front", at=f"messages[{at}]")
            told.system += blocks
    _check_end(told, known)
    return told


def _read(messages: Sequence[Any], known: Capabilities, notes: Notes) -> list[Said]:
    said: list[Said] = []
    identities: set[str] = set()
    readers = USER if known.images else BLIND
    for place, message in enumerate(messages):
        if (spoken := _plainly(message)) is not None:
            said.append((message["role"], spoken, spoken, place))
            continue
        path = f"messages[{place}]"
        if not isinstance(message, dict):
            raise Refused(400, "a message must be an object", param=path)
        role = message.get("role")
        if role == "user":
            blocks = user_blocks(message, path, notes, readers)
        elif role == "assistant":
            blocks, plain = assistant_blocks(message, path, notes)
            if blocks:
                said.append((role, blocks, plain, place))
                _note_calls(blocks, identities)
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
            said.append((role, blocks, blocks, place))
    return said


def _plainly(message: Any) -> list[Block] | None:
    """What nearly every message is, at a third of the time: a role, a text, and nothing else."""
    if type(message) is not dict or len(message) != 2 or message.get("role") not in ("user", "assistant"):
        return None
    text = message.get("content")
    return [{"type": "text", "text": text}] if type(text) is str and text and not text.isspace() else None


def _note_calls(blocks: Sequence[Block], identities: set[str]) -> None:
    """Ids of tool calls; a block that the client wrote itself may have anything for one."""
    for block in blocks:
        if block.get("type") == "tool_use" and isinstance(block.get("id"), str):
            identities.add(block["id"])


def _answered(message: Mapping[str, Any], identities: set[str], path: str) -> str:
    asked = message.get("tool_call_id")
    if not isinstance(asked, str):
        raise Refused(400, "`tool_call_id` must be a string", param=f"{path}.tool_call_id")
    identity = asked if asked in identities else identity_of(asked)
    if identity not in identities:
        raise Refused(400, "no tool call before this message has this id", param=f"{path}.tool_call_id")
    return identity


def _stays(roles: list[str], start: int) -> frozenset[int]:
    """Places of the system messages that may stand there: after the user or a result, and last or before the assistant
    (mid-conversation system messages page, read 2026-11)."""
    stays: set[int] = set()
    run: list[int] = []
    for place in range(start, len(roles)):
        if roles[place] == "system":
            run.append(place)
        elif run:
            if roles[place] == "assistant" and roles[run[0] - 1] != "assistant":
                stays.update(run)
            run = []
    if run and roles[run[0] - 1] != "assistant":
        stays.update(run)
    return frozenset(stays)


def _check_end(told: Conversation, known: Capabilities) -> None:
    if not told.prefilled:
        return
    path = f"messages[{told.place}]"
    if not known.prefill:
        raise Refused(400, "this model can't go on with a message of the assistant", param=path)
    end = told.sent[-1]["content"][-1].get("text")
    if isinstance(end, str) and end[-1:].isspace():
        raise Refused(400, "a message to be gone on with must not end with white space", param=path)
