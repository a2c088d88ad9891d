"""Names that are known, and what goes where when nothing was said about it."""

from __future__ import annotations

import pytest

from proxy.config import OPENAI, Route, Settings, Upstream
from proxy.config_file import loads
from proxy.providers import KNOWN, keyless, network, seller, variable_of

ANTHROPIC = "https://api.anthropic.com/v1"


def wires(config: str) -> dict[str, tuple[str | None, str | None]]:
    return {name: (each.base_url, each.speaks) for name, each in network(loads(config)).upstreams.items()}


@pytest.mark.parametrize(
    ("config", "upstreams"),
    [
        ("", {"default": (OPENAI, "openai"), "anthropic": (ANTHROPIC, "anthropic")}),
        ("upstream: {base_url: http://gateway/v1}", {"default": ("http://gateway/v1", "openai")}),
        ("upstream: {base_url: http://x/v1, speaks: both}", {"default": ("http://x/v1", "both")}),
        (f"upstream: {{base_url: {ANTHROPIC}}}", {"default": (ANTHROPIC, "anthropic")}),
        (f"upstream: {{base_url: {ANTHROPIC}, speaks: openai}}", {"default": (ANTHROPIC, "openai")}),
        (
            "upstream: {base_url: simulated}",
            {"default": ("simulated", "openai"), "anthropic": ("simulated", "anthropic")},
        ),
        (
            "routes: [{model: 'gemini-*', upstream: gemini}]",
            {"default": (OPENAI, "openai"), "gemini": (KNOWN["gemini"].base_url, "openai")},
        ),
        (
            "{upstreams: {anthropic: {base_url: http://mine/v1}, unused: {base_url: http://u/v1}},"
            " routes: [{model: x, upstream: anthropic}]}",
            {"default": (OPENAI, "openai"), "anthropic": ("http://mine/v1", "anthropic")},
        ),
        (
            "{upstreams: {azure: {base_url: https://n.openai.azure.com/openai/v1, speaks: openai}},"
            " routes: [{model: x, upstream: azure}]}",
            {"default": (OPENAI, "openai"), "azure": ("https://n.openai.azure.com/openai/v1", "openai")},
        ),
    ],
)
def test_what_a_configuration_connects(config: str, upstreams: dict[str, tuple[str, str]]) -> None:
    assert wires(config) == upstreams


def test_in_managed_mode_nothing_goes_to_a_provider_that_was_not_named() -> None:
    config = "{upstream: {api_key_env: K}, tenants: {mode: managed, keys: [{tenant: a, key: wg-1}]}}"
    assert list(wires(config)) == ["default"]


def test_a_route_to_nowhere_is_left_out() -> None:
    """The rules report it; whoever shows the configuration has something to show."""
    assert network(Settings(routes=(Route(model="m", upstream="nobody"),))).routes == ()


def test_only_engines_on_ones_own_machine_need_no_key() -> None:
    settings = Settings(upstreams={"sim": Upstream(base_url="simulated"), "mine": Upstream(base_url="http://h/v1")})
    assert [name for name in (*KNOWN, "sim", "mine") if keyless(settings, name)] == [
        "vllm", "sglang", "llamacpp", "ollama", "sim",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("upstream", "name"),
    [
        (Upstream(base_url=OPENAI), "openai"),
        (Upstream(base_url=ANTHROPIC, speaks="anthropic"), "anthropic"),
        (Upstream(base_url="https://me.openai.azure.com/openai/v1"), "azure"),
        (Upstream(base_url="https://openai.azure.com.evil.example/v1"), ""),
        (Upstream(base_url="https://api.x.ai/v1"), "x-ai"),
        (Upstream(base_url="http://127.0.0.1:8000/v1"), ""),
        (Upstream(base_url="simulated", speaks="openai"), "openai"),
        (Upstream(base_url="simulated", speaks="anthropic"), "anthropic"),
    ],
)
def test_whose_prices_count(upstream: Upstream, name: str) -> None:
    assert seller(upstream) == name


@pytest.mark.parametrize(("value", "name"), [("$A_1", "A_1"), ("$a", None), ("x$A", None), ("$5", None), ("$", None)])
def test_a_value_that_names_a_variable(value: str, name: str | None) -> None:
    assert variable_of(value) == name
