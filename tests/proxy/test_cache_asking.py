"""Who asks a running proxy, and how."""

from __future__ import annotations

import argparse

import pytest

from proxy.cache_asking import Request, common, credential
from proxy.client import Unusable


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    common(parser)
    return parser.parse_args(arguments)


def test_the_credential() -> None:
    env = {"OPENAI_API_KEY": " sk-one ", "MINE": "sk-mine", "BAD": "a\nb"}
    assert credential(options(), env) == {"Authorization": "Bearer sk-one"}
    assert credential(options("--key-env", "MINE", "--key-header", "api-key"), env) == {"api-key": "sk-mine"}
    assert credential(options(), {}) == {}
    for name in ("NONE", "BAD"):
        with pytest.raises(Unusable):
            credential(options("--key-env", name), env)


def test_a_request_says_what_it_sends() -> None:
    assert Request("POST", "/x").headers == {"Content-Type": "application/json"}
    assert options().url == "http://127.0.0.1:4100"
