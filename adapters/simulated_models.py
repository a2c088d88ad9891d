"""The models of the simulated provider: the lists it gives, and what Anthropic's models allow, by their names.

Names are free. One that holds a version as Anthropic writes it (`claude-opus-4-7`, `claude-3-5-haiku-20241022`,
`sim-sonnet-5-5`) behaves as that model does, every other (`sim-small`) as a model without restrictions of its own.

Minima are those of the profiles (`adapters.profiles`). Sources of the rest (read 2026-11): Anthropic's pages on Opus
5.5, on Sonnet 5.5 and on mid-conversation system messages (thinking, forced tools, system turns); its error reference
(prefill).
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from adapters.profiles import profile_of
from adapters.simulated_answer import CREATED

MODELS = ("sim-small", "sim-large", "sim-reasoner", "sim-embedding")
"""What `GET /models` lists; every other name is answered, too."""

THINKING = frozenset({"adaptive", "enabled", "disabled", "between_tools"})
EFFORTS = ("low", "medium", "high", "xhigh", "max")
MAX_OUTPUT, MAX_INPUT = 128_000, 1_000_000

_FAMILY = re.compile(r"(opus|sonnet|haiku|fable|mythos)")
_VERSION = re.compile(r"(?<!\d)([1-9])(?:-(\d{1,2}))?(?!\d)")


class Traits(NamedTuple):
    """What one of Anthropic's models allows."""

    minimum: int = 1024
    """Tokens below which it caches nothing."""
    prefill: bool = False
    sampling: bool = True
    """Whether temperature and the like may differ from their defaults, with an `anthropic-version` that has them."""
    thinking: frozenset[str] = THINKING
    thinks: str = ""
    """The type of thinking where the request names none; empty for none."""
    shown: bool = True
    """Whether thinking is told where the request does not say."""
    forced: bool = True
    """Whether a tool can be forced."""
    system_turns: bool = True


def traits(model: str) -> Traits:
    name = model.casefold()
    found = _VERSION.search(name)
    if not found:
        return Traits()
    kind = _FAMILY.search(name)
    family, version = kind[1] if kind else "", (int(found[1]), int(found[2] or 0))
    frontier = family in ("fable", "mythos")
    newest = (family in ("opus", "sonnet") and version == (5, 5)) or (frontier and version == (5, 1))
    thinking = {
        "adaptive": version >= (4, 6),
        "enabled": (3, 7) <= version < (4, 7),
        "disabled": not (frontier or newest),
        "between_tools": (family, version) == ("sonnet", (5, 5)),
    }
    return Traits(
        minimum=profile_of("anthropic", name.replace("sim-", "claude-")).minimum,
        prefill=version <= (4, 5),
        sampling=version < (4, 7),
        thinking=frozenset(kind for kind, allowed in thinking.items() if allowed),
        thinks="adaptive" if version >= (5, 0) else "",
        shown=version < (4, 7),
        forced=not newest,
        system_turns=version >= (4, 8) and (family, version) != ("sonnet", (5, 0)),
    )


def card(name: str) -> dict[str, Any]:
    """A model as OpenAI describes it."""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "warmgate"}


def info(name: str) -> dict[str, Any]:
    """A model as Anthropic describes it (`ModelInfo` of its SDK 2.11)."""
    allowed = traits(name)
    family = _FAMILY.search(name.casefold())
    can, cannot = {"supported": True}, {"supported": False}
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "line": family[1] if family and _VERSION.search(name) else None,
        "max_input_tokens": MAX_INPUT,
        "max_tokens": MAX_OUTPUT,
        "capabilities": {
            "batch": cannot,
            "citations": cannot,
            "code_execution": cannot,
            "context_management": {"supported": False},
            "effort": {"supported": True, **dict.fromkeys(EFFORTS, can)},
            "image_input": can,
            "pdf_input": can,
            "server_tools": {"supported": False, "code_execution": cannot, "web_search": cannot},
            "structured_outputs": can,
            "thinking": {
                "supported": True,
                "types": {kind: can if kind in allowed.thinking else cannot for kind in sorted(THINKING)},
            },
        },
    }


def listing() -> dict[str, Any]:
    """All models, as OpenAI lists them."""
    return {"object": "list", "data": [card(name) for name in MODELS]}


def page() -> dict[str, Any]:
    """All models, as Anthropic lists them: one page."""
    return {"data": [info(name) for name in MODELS], "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
