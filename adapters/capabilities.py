"""What a model of the Messages API accepts: from a table by its name, or from what the provider says of it.

The table is a dated data file beside this module (`data/anthropic_models.toml`), read once at import. Where a request
would be refused by the model, the translation has to know beforehand: a parameter that is dropped with a warning is
better than a 400 that a client of another dialect can't act on.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from adapters.body import mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    max_output: int
    """Largest `max_tokens`, in tokens."""
    sampling: bool
    """Whether `temperature`, `top_p` and `top_k` may differ from their defaults (before API version 2026-10-21)."""
    prefill: bool
    """Whether the last message may be the assistant's."""
    forced_tools: bool
    """Whether `tool_choice` may be `any` or `tool`."""
    thinking: frozenset[str]
    """Values of `thinking.type` that are accepted: `adaptive`, `enabled`, `disabled`, `between_tools`."""
    thinks: bool
    """Whether it thinks where `thinking` is absent."""
    efforts: tuple[str, ...]
    """Values of `output_config.effort`, weakest first; empty where the model has no such setting."""
    structured: bool
    """Whether it knows `output_config.format` and strict tools."""
    system_turns: bool
    """Whether messages of role `system` may stand after a user turn."""
    images: bool

    @property
    def always_thinks(self) -> bool:
        """Whether thinking can't be turned off, not even between tools only."""
        return self.thinks and not self.thinking & {"disabled", "between_tools"}


EFFORTS = ("low", "medium", "high", "xhigh", "max")
THINKING = ("adaptive", "enabled", "disabled", "between_tools")
_NAMES = "names"


def _table() -> tuple[dict[str, Capabilities], Capabilities]:
    """Capabilities by name, and those of everything else."""
    text = (files("adapters") / "data" / "anthropic_models.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    by_name: dict[str, Capabilities] = {}
    for row in table["models"]:
        known = _row({name: value for name, value in row.items() if name != _NAMES})
        by_name |= dict.fromkeys(row[_NAMES], known)
    return by_name, _row(table["unknown"])


def _row(row: dict[str, Any]) -> Capabilities:
    strange = row.keys() ^ {field.name for field in fields(Capabilities)}
    if strange:
        raise ValueError(f"anthropic_models.toml: members missing or unknown: {', '.join(sorted(strange))}")
    return msgspec.convert(row, Capabilities)


_BY_NAME, UNKNOWN = _table()

_DOTTED = re.compile(r"(?<=\d)\.(?=\d)")
_NAME = re.compile(
    # One or two digits more would be another version: `claude-opus-4` must not speak for a `claude-opus-4-9`.
    rf"(?<![a-z0-9])(?:{'|'.join(sorted(map(re.escape, _BY_NAME), key=len, reverse=True))})"
    r"(?![a-z0-9])(?!-[0-9]{1,2}(?![0-9]))"
)


@lru_cache(maxsize=256)
def capabilities_of(model: str) -> Capabilities:
    """By the longest name of the table that stands in the model's name, `UNKNOWN` where none does.

    Platforms write names in their own ways: `us.anthropic.claude-opus-4-5-20251101-v1:0`, `claude-opus-4@20250514`,
    `anthropic/claude-sonnet-5.5`.
    """
    found = _NAME.search(_DOTTED.sub("-", model.lower()))
    return _BY_NAME[found[0]] if found else UNKNOWN


def from_api(info: Mapping[str, Any]) -> Capabilities:
    """What `GET /v1/models/{id}` says (anthropic SDK 2.12, `types/model_info.py`), and the table where it says nothing.

    It does not tell of sampling, prefill, forced tools, system turns, and whether thinking is the default.
    """
    name = info.get("id")
    known = capabilities_of(name if isinstance(name, str) else "")
    told = mapping(info.get("capabilities"))
    most = info.get("max_tokens")
    modes = mapping(mapping(told.get("thinking")).get("types"))
    efforts = mapping(told.get("effort"))
    return replace(
        known,
        max_output=most if type(most) is int and most > 0 else known.max_output,
        thinking=frozenset(mode for mode in THINKING if _supported(modes.get(mode), mode in known.thinking)),
        efforts=tuple(level for level in EFFORTS if _supported(efforts.get(level), level in known.efforts)),
        structured=_supported(told.get("structured_outputs"), known.structured),
        images=_supported(told.get("image_input"), known.images),
    )


def _supported(told: Any, otherwise: bool) -> bool:
    supported = mapping(told).get("supported")
    return supported if isinstance(supported, bool) else otherwise
