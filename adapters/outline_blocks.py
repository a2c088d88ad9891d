"""The pieces of a request to Anthropic's Messages API.

The rules, with their sources, are those of `adapters.breakpoint_prompt`, which counts tokens better and is slower. One
is added: a tool that is loaded later stands outside the prefix, and a mark on it is an error ("cannot have both
defer_loading=true and cache_control set", claude-code issue 86743, 2026-08; guide on tool use with prompt caching).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.body import mapping
from adapters.breakpoint_prompt import RUNS, TOOL, UNMARKABLE, blocks_of, listed, unmarked
from adapters.outline_pieces import (
    MARKABLE,
    Marks,
    Piece,
    Pieces,
    encode,
    ending,
    head,
    kind_of,
    marked,
    text_of,
    weighed,
)
from adapters.prompt import Edge


def blocks_in(body: Mapping[str, Any], marks: Marks) -> Pieces:
    """Messages of one role are one turn to this API: where a message ends is noted, not hashed."""
    walk = _Walk(marks)
    tools = [walk.tool(tool) for tool in listed(body.get("tools"))]
    loaded = [place for place, tool in enumerate(listed(body.get("tools"))) if not _later(tool)]
    if loaded:
        tools[loaded[-1]] = ending(tools[loaded[-1]], "tools")
    system = walk.blocks("system", body.get("system"), "system")
    messages: list[Piece] = []
    for message in listed(body.get("messages")):
        messages += walk.blocks(message.get("role"), message.get("content"), "message")
    _mark_last((messages, system, tools), marks.of(body))
    return Pieces(tools, system, messages, walk.images, walk.citations)


class _Walk:
    """Block by block; knows what only all of them tell."""

    def __init__(self, marks: Marks) -> None:
        self.images = self.citations = False
        self._marks = marks
        self._takes = bool(marks.member)
        self._place = 0
        self._run: tuple[Any, str] = ("", "")

    def tool(self, tool: dict[str, Any]) -> Piece:
        self._place += 1
        data, later = encode(unmarked(tool)), _later(tool)
        can = self._takes and not later
        mark = self._marks.of(tool) if can else ""
        return head(TOOL, "tool"), data, 0 if later else len(data), 0, self._place, mark, "block", can

    def blocks(self, role: Any, content: Any, last: Edge) -> list[Piece]:
        if type(content) is str and content:
            # What most messages are, without the detour.
            data = content.encode()
            self._place += 1
            self._run = (role, "text")
            return [(head(role, "text"), data, len(data), 0, self._place, "", last, self._takes)]
        blocks = blocks_of(content)
        final = len(blocks) - 1
        return [self._piece(role, block, last if n == final else "block") for n, block in enumerate(blocks)]

    def _piece(self, role: Any, block: dict[str, Any], edge: Edge) -> Piece:
        kind = kind_of(block)
        if kind not in RUNS or self._run != (role, kind):
            self._place += 1
        self._run = (role, kind)
        text = text_of(block, "text")
        if text is not None:
            data = text.encode()
            mark = self._marks.of(block) if data and len(block) > 2 else ""
            return head(role, "text"), data, len(data), 0, self._place, mark, edge, self._takes and bool(data)
        data = encode(unmarked(block))
        weight, tokens = self._weighed(block, kind, data)
        can = self._takes and kind not in UNMARKABLE and bool(block.get("text") if kind == "text" else kind)
        mark = self._marks.of(block) if can else ""
        return head(role, "block"), data, weight, tokens, self._place, mark, edge, can

    def _weighed(self, block: dict[str, Any], kind: str, data: bytes) -> tuple[int, int]:
        """Signatures of thinking are no text; images and citations are looked for on the way."""
        inner = listed(block.get("content")) if kind == "tool_result" else []
        for part in (block, *inner):
            self.images = self.images or part.get("type") == "image"
            self.citations = self.citations or mapping(part.get("citations")).get("enabled") is True
        if kind == "thinking" and isinstance(text := block.get(kind), str):
            return len(text.encode()), 0
        return weighed(data, block, inner)


def _later(tool: Mapping[str, Any]) -> bool:
    return tool.get("defer_loading") is True


def _mark_last(levels: tuple[list[Piece], ...], automatic: str) -> None:
    """Sets the mark that `cache_control` of the request asks for; `levels` from the last to the first."""
    if not automatic:
        return
    for pieces in levels:
        for place in range(len(pieces) - 1, -1, -1):
            if pieces[place][MARKABLE]:
                pieces[place] = marked(pieces[place], automatic)
                return
