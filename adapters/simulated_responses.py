"""What the simulated provider says in the Responses API: what it says as a chat completion, in the other shape.

Nothing is kept between requests, so whatever names something kept is refused as not found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters import simulated_answer, simulated_caching
from adapters.body import mapping
from adapters.profiles import profile_of
from adapters.prompt import Billed
from adapters.simulated_answer import CREATED
from adapters.simulated_caching import Refusal, applied, responses_usage

LEAST = 16
"""`max_output_tokens` below this are refused, in the words of `objection` (as a user of OpenAI's had it, 2026-07)."""

KEPT = ("previous_response_id", "conversation", "prompt")
"""Members that name something this provider never kept."""

ECHOED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
}
"""Members of a response that repeat the request, and what stands there where the request is silent."""

UNHEARD = frozenset({"store", "metadata", "include", "background"}) | simulated_answer.UNHEARD
"""Members that never change what is said."""

TAKEN = frozenset({"model", "instructions", "input", "max_output_tokens", "reasoning", "text", "tools", "tool_choice"})
"""Members that have a place of their own in a chat request."""


def objection(body: Mapping[str, Any]) -> Refusal | None:
    """Why a provider would answer 400; None where it would not."""
    for name in KEPT:
        if body.get(name) is not None:
            return Refusal(f"Nothing was found for '{name}': this provider keeps nothing", name)
    if not isinstance(body.get("model"), str) or not body["model"]:
        return Refusal("you must provide a model parameter", "model")
    given = body.get("input")
    items = [{}] if isinstance(given, str) else given
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        return Refusal("Invalid 'input': expected a text or a non-empty array of objects", "input")
    for place, item in enumerate(items):
        if item.get("type") == "item_reference":
            text = "The item that is referred to was not found: this provider keeps nothing"
            return Refusal(text, f"input[{place}]")
    limit, name = body.get("max_output_tokens"), "max_output_tokens"
    if limit is not None and type(limit) is not int:
        return Refusal(f"Invalid type for '{name}': expected an integer.", name, "invalid_type")
    if limit is not None and limit < LEAST:
        text = f"Invalid '{name}': integer below minimum value. Expected a value >= {LEAST}, but got {limit} instead."
        return Refusal(text, name, "integer_below_min_value")
    return simulated_caching.objection(body, prewarms=True, lives=("30m", "12h"))


def whole(body: Mapping[str, Any], *, seed: int, billed: Billed) -> dict[str, Any]:
    """The whole answer, a decoded `response` object, to a request without `objection`, whose prompt was `billed`.

    Its status is `completed`, or `incomplete` where `max_output_tokens` cut it. A prewarm
    (`prompt_cache_options.prewarm`, or `generate: false`) is completed with no output.
    """
    chat = simulated_answer.answer(chat_body(body), seed=seed, billed=billed)
    profile = profile_of("maker", body["model"])
    ident = chat["id"].removeprefix("chatcmpl-")
    (choice,) = chat["choices"]
    usage = chat["usage"]
    silent = body.get("generate") is False or mapping(body.get("prompt_cache_options")).get("prewarm") is True
    cut = choice["finish_reason"] == "length" and not silent
    spoken = 0 if silent else usage["completion_tokens"]
    reasoning = 0 if silent else usage["completion_tokens_details"]["reasoning_tokens"]
    echoed = {name: default if body.get(name) is None else body[name] for name, default in ECHOED.items()}
    return {
        "id": f"resp_{ident}",
        "object": "response",
        "created_at": CREATED,
        "status": "incomplete" if cut else "completed",
        "background": False,
        "completed_at": None if cut else CREATED,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "model": body["model"],
        "output": [] if silent else _output(choice["message"], ident, body, cut=cut),
        **echoed,
        **({"prompt_cache_options": options} if (options := applied(body, profile)) else {}),
        "usage": responses_usage(profile, billed, spoken, reasoning),
        "user": None,
    }


def _output(message: Mapping[str, Any], ident: str, body: Mapping[str, Any], *, cut: bool) -> list[dict[str, Any]]:
    """Thoughts, then calls or a text. Where the answer is cut, its last item is what could not be finished."""
    items: list[dict[str, Any]] = []
    if thought := message.get("reasoning_content"):
        shown = mapping(body.get("reasoning")).get("summary") is not None
        summary = [{"type": "summary_text", "text": thought}] if shown else []
        items.append({"id": f"rs_{ident}", "type": "reasoning", "summary": summary})
    for place, call in enumerate(message.get("tool_calls") or ()):
        named = {"id": f"fc_{ident}{place:02}", "type": "function_call", "status": "completed", "call_id": call["id"]}
        items.append(named | call["function"])
    if text := message["content"]:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
        said = {"id": f"msg_{ident}", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
        items.append(said)
    if cut and items and "status" in items[-1]:
        items[-1]["status"] = "incomplete"
    return items


def chat_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """The chat request that asks the same: what the prompt is counted by, and the answer made from.

    Whatever has no place there goes into a member `rest`, so that another request is another one there, too.
    """
    rest = {name: value for name, value in body.items() if name not in TAKEN and name not in UNHEARD}
    chat = {"model": body.get("model"), "messages": _messages(body), "rest": rest}
    reasoning, text = mapping(body.get("reasoning")), mapping(body.get("text"))
    wanted, tools, choice = text.get("format"), body.get("tools"), body.get("tool_choice")
    said: dict[str, Any] = {
        "max_completion_tokens": body.get("max_output_tokens"),
        "reasoning_effort": reasoning.get("effort"),
        "verbosity": text.get("verbosity"),
        "response_format": {"type": wanted.get("type"), "json_schema": wanted} if isinstance(wanted, dict) else None,
        "tools": [_tool(mapping(tool)) for tool in tools] if isinstance(tools, list) else None,
        "tool_choice": {"type": "function", "function": choice} if isinstance(choice, dict) else choice,
        "parallel_tool_calls": body.get("parallel_tool_calls"),
    }
    return chat | {name: value for name, value in said.items() if value is not None}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        return tool
    return {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}


def _messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if body.get("instructions") is not None:
        messages.append({"role": "system", "content": body["instructions"]})
    given = body.get("input")
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    for item in map(mapping, given) if isinstance(given, list) else ():
        match item.get("type"):
            case "function_call" | "custom_tool_call":
                called = {"name": item.get("name"), "arguments": item.get("arguments", item.get("input"))}
                call = {"id": item.get("call_id"), "type": "function", "function": called}
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            case "function_call_output" | "custom_tool_call_output":
                result = {"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")}
                messages.append(result)
            case "message" | None:
                messages.append({"role": item.get("role"), "content": item.get("content")})
            case _:
                messages.append({"role": "assistant", "content": None, "item": item})
    return messages
