"""One request as the warming of prompt caches sees it."""

from __future__ import annotations

from typing import NamedTuple

from adapters.prompt import Prompt
from adapters.vocabulary import Call
from warming.terms import Terms


class Request(NamedTuple):
    call: Call
    """In the provider's own dialect."""
    raw: bytes
    api: str
    """The dialect's name."""
    prompt: Prompt
    terms: Terms
    model: str
    dollars: float
    """Of one uncached token of its prompt; 0 where that is unknown."""
