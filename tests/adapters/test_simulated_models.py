import pytest
from anthropic.types import ModelInfo
from openai.types import Model

from adapters.simulated_models import MODELS, THINKING, Traits, card, info, listing, page, traits


@pytest.mark.parametrize("name", ["sim-small", "sim-error-429", "sim-error-500-slow", "claude", "", "gpt-4o-20250101"])
def test_names_without_a_version_have_no_restrictions(name: str) -> None:
    assert traits(name) == Traits() or name.startswith("gpt")


# Minima of the prompt caching guide, 2026-08-21.
@pytest.mark.parametrize(
    ("name", "minimum"),
    [
        ("claude-fable-5", 512),
        ("claude-fable-5-1", 512),
        ("claude-mythos-5-1", 512),
        ("claude-opus-5", 512),
        ("claude-opus-5-5", 512),
        ("claude-sonnet-5-5-20260928", 512),
        ("claude-haiku-5-5", 512),
        ("claude-opus-4-8", 1024),
        ("claude-sonnet-5", 1024),
        ("claude-sonnet-4-6", 1024),
        ("claude-sonnet-4-20250514", 1024),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", 1024),
        ("claude-opus-4-7", 2048),
        ("claude-3-5-haiku-20241022", 2048),
        ("claude-opus-4-6", 4096),
        ("claude-opus-4-5-20251101", 4096),
        ("claude-haiku-4-5", 4096),
    ],
)
def test_the_least_that_is_cached(name: str, minimum: int) -> None:
    assert traits(name).minimum == minimum


@pytest.mark.parametrize(
    ("name", "prefill", "sampling", "forced", "system_turns"),
    [
        ("claude-3-5-haiku-20241022", True, True, True, False),
        ("claude-sonnet-4-5", True, True, True, False),
        ("claude-opus-4-6", False, True, True, False),
        ("claude-opus-4-7", False, False, True, False),
        ("claude-opus-4-8", False, False, True, True),
        ("claude-sonnet-5", False, False, True, False),
        ("claude-opus-5", False, False, True, True),
        ("claude-opus-5-5", False, False, False, True),
        ("claude-sonnet-5-5", False, False, False, True),
        ("claude-fable-5-1", False, False, False, True),
        ("claude-mythos-5-1", False, False, False, True),
        ("claude-haiku-5-5", False, False, True, True),
    ],
)
def test_what_a_model_allows(name: str, prefill: bool, sampling: bool, forced: bool, system_turns: bool) -> None:
    allowed = traits(name)
    assert (allowed.prefill, allowed.sampling, allowed.forced) == (prefill, sampling, forced)
    assert allowed.system_turns == system_turns


@pytest.mark.parametrize(
    ("name", "thinking", "thinks"),
    [
        ("claude-sonnet-4-5", {"enabled", "disabled"}, ""),
        ("claude-opus-4-6", {"adaptive", "enabled", "disabled"}, ""),
        ("claude-opus-4-7", {"adaptive", "disabled"}, ""),
        ("claude-opus-5", {"adaptive", "disabled"}, "adaptive"),
        ("claude-opus-5-5", {"adaptive"}, "adaptive"),
        ("claude-sonnet-5-5", {"adaptive", "between_tools"}, "adaptive"),
        ("claude-fable-5-1", {"adaptive"}, "adaptive"),
        ("sim-small", THINKING, ""),
    ],
)
def test_how_a_model_thinks(name: str, thinking: set[str], thinks: str) -> None:
    assert (traits(name).thinking, traits(name).thinks) == (thinking, thinks)


@pytest.mark.parametrize("name", [*MODELS, "claude-opus-5-5", "claude-3-5-haiku-20241022"])
def test_the_official_clients_read_what_is_said_of_a_model(name: str) -> None:
    assert Model.model_validate(card(name)).id == name
    told = ModelInfo.model_validate(info(name))
    assert told.id == name
    assert told.capabilities is not None
    kinds = told.capabilities.thinking.types
    assert {kind for kind in THINKING if getattr(kinds, kind).supported} == traits(name).thinking
    assert told.line == (name.split("-")[1] if name == "claude-opus-5-5" else "haiku" if "haiku" in name else None)


def test_the_lists_hold_the_same_models() -> None:
    assert [each["id"] for each in listing()["data"]] == [each["id"] for each in page()["data"]] == list(MODELS)
    assert (page()["first_id"], page()["last_id"]) == (MODELS[0], MODELS[-1])
