"""Content blocks of a stream: Anthropic's come one after the other, deltas of chat completions come as they like.

The first block in the queue is open, and what is added to it goes out at once. What is added to a later one waits. A
block closes when another has begun and nothing more can come for it: a text at once, a tool call when its arguments
are a complete object, which is how providers send calls that do not overlap; overlapping ones close at the end.
"""

from __future__ import annotations

from typing import Any

import msgspec

from adapters.body import is_json
from adapters.messages_over_chat_answer import freely
from adapters.sse import Frame, frame_of

_encode = msgspec.json.Encoder().encode


class Block:
    """A text, named by what it is (`content`, `refusal`, ...), or a call (`tool`, `custom`)."""

    __slots__ = ("given", "ident", "index", "kind", "name", "pieces", "sent")

    def __init__(self, kind: str, ident: str = "", given: bool = False) -> None:
        self.kind, self.ident, self.given = kind, ident, given
        """`given`: the id is the provider's."""
        self.name = ""
        self.index = -1
        self.pieces: list[str] = []
        self.sent = 0

    @property
    def calls(self) -> bool:
        return self.kind in ("tool", "custom")

    def begins(self) -> bool:
        """Whether it can be told what block this is, and that there is one: Anthropic has no blank texts."""
        return bool(self.name) if self.calls else any(piece.strip() for piece in self.pieces)

    def complete(self) -> bool:
        """Whether nothing can be added to it that belongs there."""
        if not self.calls:
            return True
        if self.kind == "custom" or not self.name:
            return False
        last = next((piece for piece in reversed(self.pieces) if piece.strip()), "")
        return last.rstrip().endswith("}") and is_json("".join(self.pieces))

    def start(self) -> Frame:
        block: dict[str, Any] = {"type": "text", "text": ""}
        if self.calls:
            block = {"type": "tool_use", "id": self.ident, "name": self.name, "input": {}}
        return event("content_block_start", {"index": self.index, "content_block": block})

    def rest(self, *, closing: bool = False) -> list[Frame]:
        """What has not been sent. Free text is only sent whole, because it is wrapped into an object."""
        if self.kind == "custom" and not closing:
            return []
        text = "".join(self.pieces[self.sent :])
        if self.kind == "custom":
            text = freely(text).decode()
        elif self.kind == "tool" and not text.strip():
            return []  # clients read partial JSON, and white space alone is none
        self.sent = len(self.pieces)
        return [delta(self.index, text, calls=self.calls)] if text else []

    def stop(self) -> Frame:
        return event("content_block_stop", {"index": self.index})


class Blocks:
    __slots__ = ("_last", "_queue", "begun", "called")

    def __init__(self) -> None:
        self._queue: list[Block] = []
        self._last: Block | None = None
        self.begun = 0
        """Blocks that have been started."""
        self.called = False
        """Whether one of them is a call."""

    def open_text(self) -> int:
        """The index of the block if all that is open is an ordinary text that has begun; else -1."""
        queue = self._queue
        return queue[0].index if len(queue) == 1 and queue[0].kind == "content" else -1

    def say(self, kind: str, text: str) -> list[Frame]:
        """Goes on with the last block if it is of this kind."""
        block = self._queue[-1] if self._queue and self._queue[-1].kind == kind else Block(kind)
        return self.add(block, text)

    def add(self, block: Block, text: str) -> list[Frame]:
        """A new block joins the queue; one that was closed has nothing more to say."""
        if block.sent >= 0 and block not in self._queue:
            self._queue.append(block)
        if text:
            block.pieces.append(text)
        switched, self._last = self._last is not block, block
        return self._advance(switched)

    def _advance(self, switched: bool) -> list[Frame]:
        frames: list[Frame] = []
        while self._queue:
            head = self._queue[0]
            frames += self._begin(head)
            if head.index >= 0:
                frames += head.rest()
            # Whether a call is complete is asked when another takes over, not at every delta of the other.
            if not switched or len(self._queue) == 1 or not head.complete():
                break
            frames += self._close(head)
        return frames

    def finish(self) -> list[Frame] | None:
        """Everything that waits; None where a call has no name, so that nobody knows what to call."""
        frames: list[Frame] = []
        while self._queue:
            head = self._queue[0]
            frames += self._begin(head)
            if head.index < 0 and head.calls:
                return None
            frames += self._close(head)
        return frames

    def _begin(self, block: Block) -> list[Frame]:
        if block.index >= 0 or not block.begins():
            return []
        block.index = self.begun
        self.begun += 1
        self.called = self.called or block.calls
        return [block.start()]

    def _close(self, block: Block) -> list[Frame]:
        self._queue.remove(block)
        frames = [*block.rest(closing=True), block.stop()] if block.index >= 0 else []
        block.sent = -1
        return frames


def delta(index: int, text: str, *, calls: bool = False) -> Frame:
    if calls:
        form = b'{"type":"content_block_delta","index":%d,"delta":{"type":"input_json_delta","partial_json":%b}}'
    else:
        form = b'{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":%b}}'
    return frame_of(form % (index, _encode(text)), "content_block_delta")


def event(kind: str, members: dict[str, Any]) -> Frame:
    return frame_of(_encode({"type": kind, **members}), kind)
