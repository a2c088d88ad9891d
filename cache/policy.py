"""What the exact cache may answer and what it may keep. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.body import WORD
from adapters.errors import Unfoldable
from adapters.vocabulary import Answer, Call

FINISHED = frozenset({"stop", "end_turn", "stop_sequence", "completed"})
"""Finish reasons of an answer that said all it had to say, in words, once."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`any_temperature`: identical requests share an answer whatever their temperature; else only at 0."""

    any_temperature: bool = True
    max_answer: int = 8 * 1024 * 1024
    """Bytes; a larger answer is passed on and not kept."""

    def cacheable(self, call: Call) -> bool:
        """Whether this request may be answered from memory, shared while in flight, and kept."""
        if call.dialect is None or call.dialect.stateful(call.parsed) or (call.sent and call.sent.stateful):
            return False
        # What was dropped on the way to the provider did not ask it for anything.
        asked = call.sent.parsed if call.sent is not None else call.parsed
        return self.any_temperature or asked.get("temperature") == 0

    def objection(self, answer: Answer) -> str:
        """Why a complete answer may not be kept; empty where it may."""
        try:
            return answer.dialect.objection(answer.message()) or self._too_large(len(answer.body()))
        except Unfoldable:
            # A stream that can't be folded is kept as it came, if it can be judged at all: by what its frames say.
            return _frames_objection(answer) or self._too_large(sum(len(frame.raw) for frame in answer.frames))

    def _too_large(self, size: int) -> str:
        return f"larger than {self.max_answer} bytes" if size > self.max_answer else ""


def semantic_objection(answer: Answer) -> str:
    """Why a complete answer may not be given to a question that it was not made for; empty where it may.

    Stricter than `Policy.objection`, and holds also for answers that were kept before there was this rule: one choice,
    finished by the model itself, that is a text and nothing else.
    """
    try:
        message = answer.message()
    except Unfoldable:
        return "does not fold"
    dialect = answer.dialect
    if objection := dialect.objection(message):
        return objection
    finish = dialect.finish(message)
    if finish not in FINISHED:
        return f"finish {finish}" if WORD.fullmatch(finish) else "unknown or several finish reasons"
    return "" if dialect.plain_text(message) is not None else "more than a text"


def _frames_objection(answer: Answer) -> str:
    if answer.lost:
        return "too long to be held"
    if not answer.streamed:
        return "no JSON object"
    return answer.dialect.frames_objection(answer.frames)
