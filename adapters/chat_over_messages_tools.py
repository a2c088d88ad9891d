"""Tools, and how they are to be used, of a chat-completions request for the Messages API.

Tools of types that chat completions do not know are Anthropic's own (`web_search_20260318`, `bash_20250124`, or one
with an `input_schema`) and pass as they are. The order is the client's: it is part of the cached prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.capabilities import Capabilities
from adapters.chat_over_messages_notes import Block, Notes
from adapters.errors import Refused

NO_ARGUMENTS: Block = {"type": "object", "properties": {}}

Choice = dict[str, Any]


def tools_of(body: Mapping[str, Any], known: Capabilities, notes: Notes) -> list[Block]:
    tools = body.get("tools")
    if tools is None:
        return []
    if not isinstance(tools, list):
        raise Refused(400, "`tools` must be an array", param="tools")
    return [_tool(tool, f"tools[{place}]", known, notes) for place, tool in enumerate(tools)]


def _tool(tool: Any, path: str, known: Capabilities, notes: Notes) -> Block:
    if not isinstance(tool, dict):
        raise Refused(400, "a tool must be an object", param=path)
    kind = tool.get("type")
    marked = tool
    if kind == "function":
        block = _function(tool.get("function"), path, known, notes)
        if tool.get("cache_control") is None and tool.get("prompt_cache_breakpoint") is None:
            marked = tool["function"]
    elif "input_schema" in tool or (isinstance(kind, str) and kind != "custom"):
        block = {name: value for name, value in tool.items() if name != "prompt_cache_breakpoint"}
    else:
        raise Refused(400, "a tool must be of type `function`", param=f"{path}.type")
    notes.put_of(marked, block, path)
    return block


def _function(function: Any, path: str, known: Capabilities, notes: Notes) -> Block:
    path = f"{path}.function"
    if not isinstance(function, dict):
        raise Refused(400, "`function` must be an object", param=path)
    name, description, schema = function.get("name"), function.get("description"), function.get("parameters")
    if not isinstance(name, str) or not name:
        raise Refused(400, "a function must have a `name`", param=f"{path}.name")
    if not isinstance(description, str | None):
        raise Refused(400, "`description` must be a string", param=f"{path}.description")
    if not isinstance(schema, dict | None):
        raise Refused(400, "`parameters` must be an object", param=f"{path}.parameters")
    block: Block = {"name": name}
    if description is not None:
        block["description"] = description
    # The provider demands the type that OpenAI takes for granted.
    block["input_schema"] = (schema if "type" in schema else {"type": "object", **schema}) if schema else NO_ARGUMENTS
    if function.get("strict") is True:
        if known.structured:
            block["strict"] = True
        else:
            notes.warn("tools", "strict dropped", at=f"{path}.strict")
    return block


def choice_of(body: Mapping[str, Any], known: Capabilities, *, tools: bool, thinking: bool) -> Choice | None:
    """`thinking`: whether this request turns it on, which forbids to force a tool (extended thinking, read 2026-08)."""
    choice = _choice(body.get("tool_choice"))
    parallel = body.get("parallel_tool_calls")
    if not isinstance(parallel, bool | None):
        raise Refused(400, "`parallel_tool_calls` must be true or false", param="parallel_tool_calls")
    forced = choice is not None and choice["type"] in ("any", "tool")
    if forced and not tools:
        raise Refused(400, "a tool is demanded, but there are no `tools`", param="tool_choice")
    if not tools:
        return None
    if forced and (thinking or not known.forced_tools):
        why = "while it thinks" if known.forced_tools else "at all"
        raise Refused(400, f"this model can't be forced to use a tool {why}: use `auto`", param="tool_choice")
    if parallel is False:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    return choice


def _choice(asked: Any) -> Choice | None:
    if asked is None:
        return None
    if isinstance(asked, str):
        kind = {"none": "none", "auto": "auto", "required": "any"}.get(asked)
        if kind is not None:
            return {"type": kind}
    if isinstance(asked, dict):
        if asked.get("type") in ("allowed_tools", "custom"):
            raise Refused(400, f"`{asked['type']}` has no equivalent at this provider", param="tool_choice")
        function = asked.get("function")
        if asked.get("type") == "function" and isinstance(function, dict) and isinstance(function.get("name"), str):
            return {"type": "tool", "name": function["name"]}
    raise Refused(400, "`tool_choice` must be none, auto, required or a function", param="tool_choice")
