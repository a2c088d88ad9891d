"""Small recordings, made by hand, for the tests of `calibrate` and `explain`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.usage import Usage
from proxy.importers import Recorded, Response
from proxy.sessions import read_file

CLAUDE, DEEPSEEK, GPT = "claude-sonnet-4-5", "deepseek-chat", "gpt-4o"

WORDS = "Some plain words of which there must be enough to fill a prompt. "
LONG = WORDS * 200
"""About 2,800 tokens: above every minimum but Haiku's."""

DATA = Path(os.environ.get("WARMGATE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")


def say(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def ask(
    messages: list[Any],
    usage: Usage | None = None,
    *,
    session: str = "s",
    ts: float | None = 0.0,
    model: str = CLAUDE,
    dollars: float | None = None,
    route: str = "chat",
    **members: Any,
) -> Recorded:
    """A recorded request; `members` are those of its body besides the messages."""
    body = {"model": model, "messages": messages, **members}
    answer = Response({"role": "assistant", "content": "An answer."}, "stop")
    return Recorded(session, 0, ts, model, body=body, usage=usage, response=answer, dollars=dollars, route=route)


def talk(turns: int, *, first: str = LONG, gap: float = 10.0, **more: Any) -> Iterator[tuple[list[Any], float]]:
    """The messages and the time of each request of a conversation that only grows."""
    messages = [say("system", first), say("user", "Question 0")]
    for turn in range(turns):
        yield list(messages), turn * gap
        messages += [say("assistant", f"Answer {turn}"), say("user", f"Question {turn + 1}")]


def real(name: str) -> Iterator[Recorded]:
    path = DATA / "sessions" / name
    if not path.is_file():
        pytest.skip(f"measurement data is not at {DATA}")
    return read_file(path, lambda skipped: pytest.fail(str(skipped)))
