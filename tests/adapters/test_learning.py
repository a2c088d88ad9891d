"""What a provider says of its models, and what is made of rubbish."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.capabilities import capabilities_of
from adapters.errors import Torn, UpstreamError
from adapters.learning import capabilities_at
from adapters.vocabulary import Call, Reply

OPUS = {
    "id": "claude-opus-9",
    "type": "model",
    "max_tokens": 300_000,
    "capabilities": {
        "structured_outputs": {"supported": False},
        "thinking": {"supported": True, "types": {"adaptive": {"supported": True}, "enabled": {"supported": False}}},
    },
}


class Provider:
    def __init__(self, value: Any, status: int = 200) -> None:
        self.value, self.status, self.asked = value, status, list[Call]()

    async def __call__(self, call: Call) -> Reply:
        self.asked.append(call)
        if isinstance(self.value, Exception):
            raise self.value
        raw = self.value if isinstance(self.value, bytes) else json.dumps(self.value).encode()
        return Reply.whole(self.status, (), raw, source="upstream")


async def test_a_model_that_the_table_does_not_know() -> None:
    provider = Provider({"data": [OPUS, {"id": "claude-opus-5-5"}], "has_more": False})
    found = await capabilities_at(provider)
    assert [(call.method, call.target) for call in provider.asked] == [("GET", "/models?limit=1000")]
    assert (found["claude-opus-9"].max_output, found["claude-opus-9"].structured) == (300_000, False)
    assert found["claude-opus-5-5"] == capabilities_of("claude-opus-5-5")


@pytest.mark.parametrize(
    "value",
    [
        b"<html>", b"\xff", b"", [], None, 7, {}, {"data": None}, {"data": {}}, {"data": [None, 7, {}, {"id": 7}]},
        UpstreamError("down"), Torn("broken"), b"[" * 100_000,
    ],
)  # fmt: skip
async def test_rubbish_teaches_nothing(value: Any) -> None:
    assert await capabilities_at(Provider(value)) == {}


async def test_neither_does_a_refusal() -> None:
    assert await capabilities_at(Provider({"data": [OPUS]}, 401)) == {}
