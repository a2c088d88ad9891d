"""Which header lines reach which provider."""

from __future__ import annotations

import pytest

from adapters.dress import Dress, dressed

OPENAI = [("User-Agent", "x"), ("Authorization", "Bearer sk-1"), ("OpenAI-Project", "p"), ("X-Own", "o")]
OLD = [("x-api-key", "sk-ant-1"), ("anthropic-version", "2023-06-01"), ("anthropic-beta", "b"), ("X-Own", "o")]
NEW = [("Authorization", "Bearer sk-ant-1"), ("anthropic-version", "2026-10-21"), ("X-Own", "o")]
OWN = ("X-Own", "o")
AGENT = ("User-Agent", "x")


@pytest.mark.parametrize(
    ("lines", "dress", "sent"),
    [
        # A client of the provider's own: as it came.
        (OPENAI, Dress(), OPENAI),
        (OLD, Dress("anthropic"), OLD),
        (NEW, Dress("anthropic"), NEW),
        (OLD, Dress("both"), OLD),
        (OPENAI, Dress("both"), OPENAI),
        # Another's: what only the other knows is left out, the key stands where this one looks for it.
        (OPENAI, Dress("anthropic"), [AGENT, OPENAI[1], OWN, ("anthropic-version", "2026-10-21")]),
        (
            OPENAI,
            Dress("anthropic", version="2023-06-01"),
            [AGENT, ("x-api-key", "sk-1"), OWN, ("anthropic-version", "2023-06-01")],
        ),
        (
            [("authorization", "Bearer sk-ant-oat01-x")],
            Dress("anthropic", version="2023-06-01"),
            [("authorization", "Bearer sk-ant-oat01-x"), ("anthropic-version", "2023-06-01")],
        ),
        (OLD, Dress("openai"), [("Authorization", "Bearer sk-ant-1"), OWN]),
        (NEW, Dress("openai"), [NEW[0], OWN]),
        ([("api-key", "azure")], Dress("openai"), [("api-key", "azure")]),
        (OPENAI, Dress(auth="api-key"), [AGENT, *OPENAI[2:], ("api-key", "sk-1")]),
        (OLD, Dress("openai", auth="bearer"), [OWN, ("Authorization", "Bearer sk-ant-1")]),
        ([OWN], Dress(auth="api-key"), [OWN]),
        # Managed: ours instead of theirs.
        (OPENAI, Dress(api_key="ours", replaces=True), [AGENT, OPENAI[2], OWN, ("Authorization", "Bearer ours")]),
        (OLD, Dress("openai", api_key="ours", replaces=True), [OWN, ("Authorization", "Bearer ours")]),
        (OPENAI, Dress(api_key="ours", replaces=True, auth="api-key"), [AGENT, *OPENAI[2:], ("api-key", "ours")]),
        (OLD, Dress("anthropic", api_key="ours", replaces=True), [*OLD[1:], ("x-api-key", "ours")]),
        (NEW, Dress("anthropic", api_key="ours", replaces=True), [*NEW[1:], ("Authorization", "Bearer ours")]),
        ([("API-Key", "a"), ("X-API-KEY", "b"), ("authorization", "c"), OWN], Dress(replaces=True), [OWN]),
        # Lines of the configuration replace others of their names.
        ([OWN, AGENT], Dress(extra=(("x-own", "ours"), ("X-New", "n"))), [AGENT, ("x-own", "ours"), ("X-New", "n")]),
        ([], Dress("anthropic", extra=(("anthropic-version", "v"),)), [("anthropic-version", "v")]),
    ],
)
def test_the_lines(lines: list[tuple[str, str]], dress: Dress, sent: list[tuple[str, str]]) -> None:
    assert dressed(lines, dress) == sent
