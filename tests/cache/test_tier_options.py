from __future__ import annotations

from typing import Any

import pytest

from cache.tier_options import Options, checked


def test_the_defaults_are_what_was_promised() -> None:
    options = checked(Options())
    assert (options.policy, options.promote_after, options.flush_interval) == ("write_through", 3, 5.0)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"policy": "write_behind"}, "no write policy is called 'write_behind': there are write_through, write_back,"),
        ({"policy": None}, "no write policy is called None"),
        ({"flush_interval": 0}, "flush_interval has to be more than 0"),
        ({"flush_interval": float("nan")}, "flush_interval"),
        ({"promote_after": -1}, "promote_after has to be 0 or more"),
        ({"grace": -1}, "grace"),
        ({"settle": float("nan")}, "settle"),
        ({"ttls": {"tool": 0}}, "the time of a namespace"),
    ],
)
def test_what_makes_no_sense_is_told(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        checked(Options(**wrong))
