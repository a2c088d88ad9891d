"""What the simulated provider says: a pure function of the seed and the request, in OpenAI's Chat Completions shape.

The same request gets the same text and the same id, streamed or whole, today or tomorrow: there is no clock in it.
OpenAI's reasoning models (`o3`, `gpt-5.6-sol`, ...) think unless they are told not to, and the limit of an answer is
spent on that first: a small one leaves nothing to be seen.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from adapters import simulated_caching
from adapters.profiles import profile_of
from adapters.prompt import Billed
from adapters.schema_example import example
from adapters.simulated_caching import Refusal, chat_usage
from adapters.tokens import estimate

T = TypeVar("T")
Named = TypeVar("Named", bound=Mapping[str, Any])

CREATED = 1_767_225_600
"""2026-01-01T00:00:00Z, on every answer."""

UNHEARD = frozenset(
    {"stream", "stream_options", "cache", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"}
)
"""Members of a body that change how an answer travels or what it costs, never what it says."""

OPENERS = (
    'You asked about "{quote}", and the short answer is that it depends on two things.',
    'On "{quote}": there is a simple way to see it, and a more careful one.',
    'Taking "{quote}" at its word, this is how I would go about it.',
    'Let us start from "{quote}" and work outwards from what is certain.',
    'The question "{quote}" comes up often, and most answers leave out the important part.',
)
BODIES = (
    "First, write down what you already know and what you are only assuming, because the two are easily confused.",
    "The usual case is straightforward, and the simplest approach that works is nearly always the right one.",
    "Measure before you change anything, and change one thing at a time so that you can tell what helped.",
    "If the numbers disagree with your expectation, trust the numbers and look for the reason.",
    "There is an exception worth knowing: when the input is very large, the cost is dominated by reading it.",
    "A small example makes this concrete, and you can check it by hand in a minute or two.",
    "In practice two out of three people stop here, and for most purposes that is good enough.",
    "The second step is to compare the alternatives side by side instead of judging each one alone.",
    "Keep the intermediate results, since they tell you where things went wrong if the total looks odd.",
    "Ask what would have to be true for the opposite to hold, and whether that could be tested cheaply.",
    "It also helps to name the parts clearly, so that everyone means the same thing by the same word.",
    "When in doubt, prefer the option that is easy to undo later.",
)
CLOSERS = (
    "If you tell me more about your situation, I can be more specific.",
    "That should be enough to get started, and the details can follow once the outline holds.",
    "In short: begin small, verify each step, and extend only what has proved itself.",
    "I would be glad to go through any of these points in more depth.",
)
THOUGHTS = (
    'The user wants to know about "{quote}", so I should settle what exactly is meant.',
    "There may be a hidden assumption here that I ought to make explicit.",
    "Let me compare the obvious answer with a case in which it fails.",
    "The order of the steps matters, because the second depends on the first.",
    "I should keep the answer short and say what remains uncertain.",
    "Checking once more: nothing in the request contradicts this.",
)
EFFORT = {"minimal": 1, "low": 2, "medium": 4, "high": 6, "xhigh": 6, "max": 6}
"""Sentences of visible reasoning for a `reasoning_effort`; `none` and unknown ones have none."""


EFFORT_UNTOLD = "medium"
"""Of reasoning models. (Some versions think only when told to; which is not known to us of all.)"""

_reasoning = re.compile(r"(?:^|/)(?:o\d|gpt-[5-9])(?!.*chat)")


class Dice:
    """Choices that follow from a digest and from nothing else."""

    def __init__(self, digest: bytes, purpose: str) -> None:
        self._left = int.from_bytes(hashlib.shake_256(digest + purpose.encode()).digest(256), "big")

    def below(self, limit: int) -> int:
        self._left, drawn = divmod(self._left, limit)
        return drawn

    def pick(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different options (or all there are), in the order drawn."""
        left = list(options)
        return [left.pop(self.below(len(left))) for _ in range(min(count, len(left)))]

    def hexadecimal(self, digits: int) -> str:
        return f"{self.below(16**digits):0{digits}x}"


class Spoken(NamedTuple):
    """One choice and the tokens it took; `reasoning` is a part of `tokens`."""

    choice: dict[str, Any]
    tokens: int
    reasoning: int


def digest_of(body: Mapping[str, Any], seed: int) -> bytes:
    """32 bytes that two requests share exactly if they get the same answer."""
    heard = {name: value for name, value in body.items() if name not in UNHEARD}
    return hashlib.sha256(b"%d:" % seed + msgspec.json.encode(heard, order="deterministic")).digest()


def reasons(model: str) -> bool:
    """Whether this is one of OpenAI's reasoning models, by its name. What they think is never shown in a chat."""
    return _reasoning.search(model) is not None


def objection(body: Mapping[str, Any]) -> Refusal | None:
    """Why a provider would answer 400; None where it would not."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        return Refusal("you must provide a model parameter", "model")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        return Refusal("Invalid 'messages': expected a non-empty array of objects", "messages")
    for name, most in (("n", 128), ("max_tokens", None), ("max_completion_tokens", None)):
        value = body.get(name)
        if value is not None and (type(value) is not int or value < 1 or (most and value > most)):
            limits = f", at most {most}" if most else ""
            return Refusal(f"Invalid '{name}': expected an integer of 1 or more{limits}", name)
    if body.get("max_tokens") is not None and reasons(body["model"]):
        text = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        return Refusal(text, "max_tokens", "unsupported_parameter")
    return simulated_caching.objection(body, prewarms=False, lives=("30m",))


def answer(body: Mapping[str, Any], *, seed: int, billed: Billed) -> dict[str, Any]:
    """The whole answer to a request without `objection`, whose prompt was `billed`."""
    digest = digest_of(body, seed)
    spoken = [_choice(body, digest, index) for index in range(body.get("n") or 1)]
    output, reasoning = sum(one.tokens for one in spoken), sum(one.reasoning for one in spoken)
    return {
        "id": f"chatcmpl-{digest.hex()[:24]}",
        "object": "chat.completion",
        "created": CREATED,
        "model": body["model"],
        "choices": [one.choice for one in spoken],
        "usage": chat_usage(profile_of("maker", body["model"]), billed, output, reasoning),
        "service_tier": "default",
        "system_fingerprint": f"fp_simulated_{seed}",
    }


def _choice(body: Mapping[str, Any], digest: bytes, index: int) -> Spoken:
    """One choice within the request's token limit: thinking spends it first, as reasoning models do."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    quote = quoted(_last_user_text(body))
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    reasoning, cut = 0, False
    effort = body.get("reasoning_effort") or (EFFORT_UNTOLD if reasons(body["model"]) else None)
    if sentences := EFFORT.get(str(effort), 0):
        thought = " ".join(THOUGHTS[:sentences]).format(quote=quote)
        message["reasoning_content"], reasoning, cut = clip(thought, limit)
    left = None if limit is None else limit - reasoning
    dice = Dice(digest, f"choice {index}")
    if functions := _called(body):
        tokens, cut = _call_tools(message, functions, quote, dice, left)
    else:
        message["content"], tokens, cut = clip(_content(body, quote, dice), left)
    finish = "length" if cut else "tool_calls" if functions else "stop"
    choice = {"index": index, "message": message, "logprobs": None, "finish_reason": finish}
    return Spoken(choice, reasoning + tokens, reasoning)


def _call_tools(
    message: dict[str, Any], functions: list[Mapping[str, Any]], quote: str, dice: Dice, limit: int | None
) -> tuple[int, bool]:
    """Puts the calls into the message, as many as the limit allows; returns their tokens and whether it cut any."""
    calls: list[dict[str, Any]] = []
    spent = 0
    for function in functions:
        arguments = msgspec.json.encode(example(function.get("parameters") or {}, quote)).decode()
        text, tokens, cut = clip(arguments, None if limit is None else limit - spent)
        spent += tokens
        if tokens:
            called = {"name": function["name"], "arguments": text}
            calls.append({"id": f"call_{dice.hexadecimal(24)}", "type": "function", "function": called})
        if cut:
            break
    else:
        cut = False
    if calls:
        message["tool_calls"] = calls
    return spent, cut


def _content(body: Mapping[str, Any], quote: str, dice: Dice) -> str:
    wanted = body.get("response_format")
    match wanted:
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return msgspec.json.encode(example(schema, quote)).decode()
        case {"type": "json_object" | "json_schema"}:
            return msgspec.json.encode({"answer": quote}).decode()
        case _:
            return prose(quote, dice)


def prose(quote: str, dice: Dice) -> str:
    """Some 45 to 190 words in paragraphs."""
    sentences = dice.pick(BODIES, 2 + dice.below(8))
    opener, closer = dice.pick(OPENERS, 1)[0].format(quote=quote), dice.pick(CLOSERS, 1)[0]
    whole = [opener, *sentences, closer]
    return "\n\n".join(" ".join(whole[start : start + 4]) for start in range(0, len(whole), 4))


def clip(text: str, limit: int | None) -> tuple[str, int, bool]:
    """The longest beginning of at most `limit` estimated tokens, those tokens, and whether anything was cut."""
    tokens = estimate(text)
    if limit is None or tokens <= limit:
        return text, tokens, False
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if estimate(text[:middle]) <= limit else (low, middle - 1)
    return text[:low], estimate(text[:low]) if low else 0, True


def _called(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The functions this answer calls: the forced one, or those whose names the last user message mentions.

    What has been called already (a `tool` message follows) is not called again unless forced: an agent must come home.
    """
    tools, choice = body.get("tools"), body.get("tool_choice") or "auto"
    if not isinstance(tools, list) or choice == "none":
        return []
    functions = [
        tool["function"]
        for tool in tools
        if isinstance(tool, dict)
        and isinstance(tool.get("function"), dict)
        and isinstance(tool["function"].get("name"), str)
    ]
    if isinstance(choice, dict):
        forced = choice.get("function")
        name = forced.get("name") if isinstance(forced, dict) else None
        return [function for function in functions if function["name"] == name][:1]
    heard = _last_user_text(body) if body["messages"][-1].get("role") == "user" else ""
    named = mentioned(functions, heard) or (functions[:1] if choice == "required" else [])
    return named[:1] if body.get("parallel_tool_calls") is False else named


def mentioned(tools: Sequence[Named], text: str) -> list[Named]:
    """The tools whose names a text holds, in whatever letter case."""
    heard = text.casefold()
    return [tool for tool in tools if tool["name"].casefold() in heard]


def _last_user_text(body: Mapping[str, Any]) -> str:
    for message in reversed(body["messages"]):
        if message.get("role") == "user":
            return _text(message.get("content"))
    return ""


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return " ".join(text for text in texts if isinstance(text, str))


def quoted(text: str) -> str:
    """The first few words, each of a bearable length."""
    return " ".join(word[:30] for word in text[:400].split()[:6]) or "nothing in particular"
