"""Who the providers are and which models go to whom, once names that are known have been filled in. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from msgspec.structs import replace

from proxy.config import OPENAI, SIMULATED, Fallback, Route, Settings, Upstream

DEFAULT = "default"
"""The name of the section `upstream` in routes."""


class Known(NamedTuple):
    base_url: str
    speaks: str = "openai"
    seller: str = ""
    """Its name in the table of prices."""
    keyless: bool = False
    """An engine on one's own machine, which asks for no key."""


KNOWN: Mapping[str, Known] = {
    "openai": Known(OPENAI, seller="openai"),
    "anthropic": Known("https://api.anthropic.com/v1", "anthropic", seller="anthropic"),
    "openrouter": Known("https://openrouter.ai/api/v1", seller="openrouter"),
    "deepseek": Known("https://api.deepseek.com/v1", seller="deepseek"),
    "gemini": Known("https://generativelanguage.googleapis.com/v1beta/openai", seller="google"),
    "xai": Known("https://api.x.ai/v1", seller="x-ai"),
    "mistral": Known("https://api.mistral.ai/v1", seller="mistral"),
    "groq": Known("https://api.groq.com/openai/v1", seller="groq"),
    "vllm": Known("http://127.0.0.1:8000/v1", keyless=True),
    "sglang": Known("http://127.0.0.1:30000/v1", keyless=True),
    "llamacpp": Known("http://127.0.0.1:8080/v1", keyless=True),
    "ollama": Known("http://127.0.0.1:11434/v1", keyless=True),
}
"""Base URLs as the providers document them (read 2026-11), and the default ports of engines. Azure's carries the name
of one's own resource: `https://NAME.openai.azure.com/openai/v1`."""

CLAUDE = Route(model="claude-*", upstream="anthropic")
"""The one route there is by itself: who names a Claude model and sends a key can only mean Anthropic's."""

_VARIABLE = re.compile(r"\$([A-Z_][A-Z0-9_]*)")


class Network(NamedTuple):
    """`upstreams` with base URL and language filled in, `default` among them."""

    upstreams: Mapping[str, Upstream]
    routes: tuple[Route, ...]


def network(settings: Settings) -> Network:
    """Only upstreams that something goes to. What the configuration's rules object to is left out here."""
    routes = settings.routes or _built_in(settings)
    named = {way.upstream for route in routes for way in ways(route)} | {DEFAULT}
    known = {name: upstream for name in sorted(named) if (upstream := _filled(settings, name)) is not None}
    return Network(known, tuple(route for route in routes if all(way.upstream in known for way in ways(route))))


def ways(route: Route) -> tuple[Fallback, ...]:
    """The upstreams of a route in their order."""
    return (Fallback(upstream=route.upstream, send_as=route.send_as), *route.fallback)


def _built_in(settings: Settings) -> tuple[Route, ...]:
    """Only beside OpenAI itself: a gateway that serves Claude models under their names gets its clients' requests, and
    its clients' keys go nowhere else. In managed mode Anthropic needs a key of its own, so it has to be named."""
    url = settings.upstream.base_url
    return (CLAUDE,) if url == SIMULATED or (url == OPENAI and settings.tenants.mode == "pass_through") else ()


def _filled(settings: Settings, name: str) -> Upstream | None:
    """The upstream with what its name tells; None where that is not enough."""
    given = settings.upstream if name == DEFAULT else settings.upstreams.get(name, Upstream())
    known = KNOWN.get("openai" if name == DEFAULT else name)
    url = given.base_url
    if url is None and settings.upstream.base_url == SIMULATED and name not in settings.upstreams:
        url = SIMULATED  # beside the simulated provider nothing goes to a real one by itself
    url = url or (known.base_url if known else None)
    if url is None:
        return None
    at = _at(url) or known
    return replace(given, base_url=url, speaks=given.speaks or (at.speaks if at else "openai"))


def cached_by(name: str, upstream: Upstream) -> str:
    """Whose rules the prompt cache of the upstream of this name has, as a table of `adapters.profiles`."""
    if upstream.prompt_cache is not None:
        return upstream.prompt_cache
    if upstream.base_url == SIMULATED:
        return SIMULATED
    return seller(upstream) or ("llamacpp" if name == "ollama" else name if name in KNOWN else "")


AZURE = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")


def seller(upstream: Upstream) -> str:
    """Whose prices count there, by the table's names; empty where the model's name alone has to tell."""
    if upstream.base_url == SIMULATED:
        return "anthropic" if upstream.speaks == "anthropic" else "openai"
    url = upstream.base_url or ""
    if (urlsplit(url).hostname or "").endswith(AZURE):
        return "azure"
    known = _at(url)
    return known.seller if known else ""


def _at(url: str) -> Known | None:
    """The provider whose host this is, whatever the path; none for engines, any of which may have a port."""
    host = urlsplit(url).hostname
    return next(
        (known for known in KNOWN.values() if not known.keyless and urlsplit(known.base_url).hostname == host), None
    )


def keyless(settings: Settings, name: str) -> bool:
    """Whether this upstream is asked without a key where none is configured."""
    known = KNOWN.get(name)
    given = settings.upstreams.get(name, Upstream()).base_url or (known.base_url if known else "")
    return given == SIMULATED or (known is not None and known.keyless)


def variable_of(value: str) -> str | None:
    """The name of the environment variable that a header's value is to be taken from."""
    match = _VARIABLE.fullmatch(value)
    return match[1] if match else None
