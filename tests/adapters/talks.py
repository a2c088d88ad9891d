"""One conversation in the words of all three APIs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

APIS = ("openai-chat", "anthropic-messages", "openai-responses")

PIXEL = "iVBORw0KGgo="

Step = tuple[Any, ...]
"""`user TEXT`, `say TEXT`, `think TEXT`, `call ID TOOL ARGUMENTS`, `result ID TEXT [FAILED]`, `look` (an image of the
user, with a word), `shot ID TEXT` (a result with an image), `system TEXT`."""


def talk(api: str, steps: Sequence[Step], **more: Any) -> dict[str, Any]:
    """A request body."""
    member, of = {
        "openai-chat": ("messages", _chat),
        "anthropic-messages": ("messages", _anthropic),
        "openai-responses": ("input", _responses),
    }[api]
    body: dict[str, Any] = {"model": "m-1", member: [message for step in steps if (message := of(step)) is not None]}
    if api == "anthropic-messages":
        body |= {"system": [{"type": "text", "text": step[1]} for step in steps if step[0] == "system"]}
    return body | more


def read(ident: str, path: str, text: str, *, tool: str = "read", failed: bool = False, **more: Any) -> list[Step]:
    """A call that names a file, and its result."""
    return [("call", ident, tool, {"path": path, **more}), ("result", ident, text, failed)]


def shell(ident: str, command: str, text: str, *, failed: bool = False) -> list[Step]:
    return [("call", ident, "bash", {"command": command}), ("result", ident, text, failed)]


def _chat(step: Step) -> dict[str, Any] | None:
    match step:
        case ("user", text):
            return {"role": "user", "content": text}
        case ("system", text):
            return {"role": "system", "content": text}
        case ("say", text):
            return {"role": "assistant", "content": text}
        case ("think", text):
            return {"role": "assistant", "content": "so", "reasoning_content": text}
        case ("call", ident, tool, arguments):
            function = {"name": tool, "arguments": json.dumps(arguments)}
            calls = [{"id": ident, "type": "function", "function": function}]
            return {"role": "assistant", "content": None, "tool_calls": calls}
        case ("result", ident, text, *failed):
            return {"role": "tool", "tool_call_id": ident, "content": f"Error: {text}" if any(failed) else text}
        case ("shot", ident, text):
            parts = [{"type": "text", "text": text}, _picture("openai-chat")]
            return {"role": "tool", "tool_call_id": ident, "content": parts}
        case ("look",):
            return {"role": "user", "content": [{"type": "text", "text": "look"}, _picture("openai-chat")]}
    raise AssertionError(step)


def _anthropic(step: Step) -> dict[str, Any] | None:
    match step:
        case ("system", _):
            return None
        case ("user", text):
            return {"role": "user", "content": text}
        case ("say", text):
            return {"role": "assistant", "content": [{"type": "text", "text": text}]}
        case ("think", text):
            return {"role": "assistant", "content": [{"type": "thinking", "thinking": text, "signature": "s"}]}
        case ("call", ident, tool, arguments):
            return {"role": "assistant", "content": [_use(ident, tool, arguments)]}
        case ("result", ident, text, *failed):
            block = {"type": "tool_result", "tool_use_id": ident, "content": text}
            return {"role": "user", "content": [block | ({"is_error": True} if any(failed) else {})]}
        case ("shot", ident, text):
            parts = [{"type": "text", "text": text}, _picture("anthropic-messages")]
            return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": ident, "content": parts}]}
        case ("look",):
            return {"role": "user", "content": [{"type": "text", "text": "look"}, _picture("anthropic-messages")]}
    raise AssertionError(step)


def _responses(step: Step) -> dict[str, Any] | None:
    match step:
        case ("user" | "system" as role, text):
            return {"role": role, "content": text}
        case ("say", text):
            return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
        case ("think", text):
            return {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": text}]}
        case ("call", ident, tool, arguments):
            return {"type": "function_call", "call_id": ident, "name": tool, "arguments": json.dumps(arguments)}
        case ("result", ident, text, *failed):
            return {
                "type": "function_call_output",
                "call_id": ident,
                "output": f"Error: {text}" if any(failed) else text,
            }
        case ("shot", ident, text):
            parts = [{"type": "input_text", "text": text}, _picture("openai-responses")]
            return {"type": "function_call_output", "call_id": ident, "output": parts}
        case ("look",):
            parts = [{"type": "input_text", "text": "look"}, _picture("openai-responses")]
            return {"role": "user", "content": parts}
    raise AssertionError(step)


def _use(ident: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": ident, "name": tool, "input": arguments}


def _picture(api: str) -> dict[str, Any]:
    url = f"data:image/png;base64,{PIXEL}"
    if api == "openai-chat":
        return {"type": "image_url", "image_url": {"url": url}}
    if api == "openai-responses":
        return {"type": "input_image", "image_url": url}
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
