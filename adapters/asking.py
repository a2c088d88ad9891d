"""What a request asks last, and why only an identical one may share its answer. For all dialects: pure, and in tables.

What is not known counts against a request: a part, a member or a choice that nobody here has heard of makes it exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.body import mapping
from adapters.question import PLACEHOLDER, Question

NO_QUESTION = "no question"
PENDING = "tools pending"
UNKNOWN = "unknown content"
SEARCHES = "server tools"
RETRIEVED = "retrieved context"

TEXTS = ("text", "input_text")
"""Types of the part that a question may be: OpenAI's and Anthropic's, and that of the Responses API."""

HARMLESS = (
    *("text", "input_text", "output_text", "refusal", "summary_text", "reasoning_text"),
    *("thinking", "redacted_thinking", "reasoning", "compaction"),
    *("message", "tool_use", "tool_result", "function_call", "function_call_output"),
    *("custom_tool_call", "custom_tool_call_output", "local_shell_call", "local_shell_call_output"),
    *("apply_patch_call", "apply_patch_call_output", "tool_addition"),
)
"""Types of parts and items that are text, or that the client itself has run: equal ones leave nothing open."""

OTHERWISE = {
    **dict.fromkeys(("image", "image_url", "input_image"), "images"),
    **dict.fromkeys(("audio", "audio_url", "input_audio"), "audio"),
    **dict.fromkeys(("video", "video_url", "input_video"), "video"),
    **dict.fromkeys(("file", "file_url", "input_file", "document", "document_url", "container_upload"), "files"),
    "search_result": RETRIEVED,
    **dict.fromkeys(("server_tool_use", "web_search_tool_result", "web_fetch_tool_result"), SEARCHES),
    **dict.fromkeys(("code_execution_tool_result", "mcp_tool_use", "mcp_tool_result"), SEARCHES),
    **dict.fromkeys(("web_search_call", "file_search_call", "code_interpreter_call", "mcp_call"), SEARCHES),
}
"""Reasons by type of part; a type in neither table is `unknown content`. (Types of OpenAI's client 3.52, Anthropic's
2.11, vLLM's and Mistral's chat API, read 2026-11.)"""

BESIDE = {"images": "images", "audio": "audio", "attachments": "files", "documents": RETRIEVED}
"""Members of a message that hold, beside its content, what is no text (Ollama's `images`, OpenAI's `audio`, ...)."""

MEMBERS = {
    "logprobs": "logprobs",
    "top_logprobs": "logprobs",
    "prompt_logprobs": "logprobs",
    "prediction": "prediction",
    "audio": "audio",
    "documents": RETRIEVED,
    "data_sources": RETRIEVED,
    "web_search_options": SEARCHES,
    "search_parameters": SEARCHES,
    "enable_search": SEARCHES,
    "plugins": SEARCHES,
}
"""Members of a body that, unless empty or false, tie its answer to these very words, or to what the provider finds
(OpenAI, vLLM, Cohere, Azure, xAI, Qwen, OpenRouter; read 2026-11)."""

SINGLE = ("n", "best_of")
"""Members that ask for several answers, unless 1."""

FREE = ("auto", "none")
"""Choices of tools that leave it to the model to answer in words. Whatever else may be said there forces a call."""

CLIENT_RUN = ("function", "custom")
"""Tools in chat completions that the client runs; other dialects say of others that they are stateful."""


def question_of(body: Mapping[str, Any], member: str, stateful: str) -> Question:
    """`member` holds the turns, `stateful` is what the dialect says of the request (`Dialect.stateful`).

    Where the text stands is told by what is left around it: a string, or the only part of a list, in the last turn. So
    a client that writes the placeholder itself makes no two requests look alike that are not.
    """
    turns = body.get(member)
    if isinstance(turns, str):
        return _question(turns, {**body, member: PLACEHOLDER}, stateful or _exact(body))
    if not isinstance(turns, list) or not turns:
        return Question(exact=stateful or NO_QUESTION)
    exact = stateful or _exact(body) or _in_turns(body, turns)
    last = mapping(turns[-1])
    found = _only_text(last.get("content")) if _by_user(last) else None
    if found is None:
        return Question(exact=exact or _no_question(last))
    text, content = found
    return _question(text, {**body, member: [*turns[:-1], {**last, "content": content}]}, exact)


def _question(text: str, around: Mapping[str, Any], exact: str) -> Question:
    # Signs alone say nothing to compare.
    return Question(text, around, exact or ("" if any(map(str.isalnum, text)) else NO_QUESTION))


def _only_text(content: Any) -> tuple[str, Any] | None:
    """The text of a content that is one text, and that content without it."""
    if isinstance(content, str):
        return content, PLACEHOLDER
    if isinstance(content, list) and len(content) == 1:
        part = mapping(content[0])
        if part.get("type") in TEXTS and isinstance(part.get("text"), str):
            return part["text"], [{**part, "text": PLACEHOLDER}]
    return None


def _by_user(turn: Mapping[str, Any]) -> bool:
    return turn.get("role") == "user" and turn.get("type") in (None, "message")


def _no_question(last: Mapping[str, Any]) -> str:
    content = last.get("content")
    parts = content if isinstance(content, list) else []
    kinds = [last.get("type"), *(mapping(part).get("type") for part in parts)]
    if last.get("role") == "tool" or any(isinstance(kind, str) and _is_result(kind) for kind in kinds):
        return PENDING
    if last.get("role") == "assistant":
        return "begun answer"
    return "several parts" if len(parts) > 1 and _by_user(last) else NO_QUESTION


def _is_result(kind: str) -> bool:
    return kind.endswith(("tool_result", "_call_output"))


def _exact(body: Mapping[str, Any]) -> str:
    """By the members of the body beside its turns."""
    if any(body.get(name) not in (None, 1) for name in SINGLE):
        return "several choices"
    for name, reason in MEMBERS.items():
        if body.get(name):
            return reason
    include = body.get("include")
    if isinstance(include, list) and any(isinstance(each, str) and "logprobs" in each for each in include):
        return "logprobs"
    if not _only(body.get("modalities"), ("text",)):
        return "modalities"
    if not all(_leaves_open(body.get(name)) for name in ("tool_choice", "function_call")):
        return "forced tool"
    return ""


def _only(values: Any, known: tuple[str, ...]) -> bool:
    return values is None or (isinstance(values, list) and all(value in known for value in values))


def _leaves_open(choice: Any) -> bool:
    return choice is None or choice in FREE or (isinstance(choice, dict) and choice.get("type") in FREE)


def runs_tools(body: Mapping[str, Any]) -> str:
    """Whether the provider runs one of the tools of a chat completion: several servers have tools of their own."""
    tools = body.get("tools")
    listed = tools if isinstance(tools, list) else []
    return SEARCHES if any(mapping(tool).get("type", "function") not in CLIENT_RUN for tool in listed) else ""


def _in_turns(body: Mapping[str, Any], turns: list[Any]) -> str:
    """By what stands in the turns, and in a system prompt beside them."""
    turns = [{"role": "system", "content": body.get("system")}, *turns]
    return next((reason for turn in turns if (reason := _in_turn(turn))), "") or next(
        (reason for part in _parts(turns) if (reason := _kind(part))), ""
    )


def _in_turn(turn: Any) -> str:
    if not isinstance(turn, dict):
        return UNKNOWN
    for name, reason in BESIDE.items():
        if turn.get(name):
            return reason
    if turn.get("type") is not None:
        return _kind(turn)
    return "" if isinstance(turn.get("content"), str | list | None) and "role" in turn else UNKNOWN


def _parts(turns: list[Any]) -> Iterator[Any]:
    """Every part of every content, at any depth. Without recursion: a client decides how deep that is."""
    ahead = list(turns)
    while ahead:
        holder = ahead.pop()
        if isinstance(holder, dict):
            inside = [
                part for name in ("content", "output") if isinstance(holder.get(name), list) for part in holder[name]
            ]
            yield from inside
            ahead += inside


def _kind(part: Any) -> str:
    kind = mapping(part).get("type")
    if not isinstance(kind, str):
        return UNKNOWN
    return "" if kind in HARMLESS else OTHERWISE.get(kind, UNKNOWN)
