from typing import Any

import pytest

from adapters.usage import Usage
from proxy.recorded_usage import usage_of


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        # OpenAI chat: cached and written tokens inside the prompt
        (
            {
                "prompt_tokens": 1000,
                "completion_tokens": 50,
                "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 100},
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
            Usage(300, 600, output=50, reasoning=20, write_30m=100),
        ),
        # OpenAI responses: the same under other names
        (
            {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 600}, "output_tokens": 50},
            Usage(400, 600, output=50),
        ),
        (
            {
                "input_tokens": 1000,
                "input_tokens_details": {
                    "cached_tokens": 600,
                    "cache_write_tokens": 300,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 100, "ttl_12h_tokens": 200},
                },
            },
            Usage(100, 600, write_30m=100, write_12h=200),
        ),
        # DeepSeek, with and without OpenAI's detail beside its own
        ({"prompt_tokens": 1849, "prompt_cache_hit_tokens": 320, "completion_tokens": 67}, Usage(1529, 320, output=67)),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}, "prompt_cache_hit_tokens": 4},
            Usage(5, 4),
        ),
        # Anthropic: beside the input, writes by life time
        (
            {
                "input_tokens": 6,
                "cache_read_input_tokens": 37652,
                "cache_creation_input_tokens": 94,
                "cache_creation": {"ephemeral_5m_input_tokens": 54, "ephemeral_1h_input_tokens": 40},
                "output_tokens": 1,
            },
            Usage(6, 37652, 54, 40, 1),
        ),
        ({"input_tokens": 10, "cache_creation_input_tokens": 90, "output_tokens": 1}, Usage(10, 0, 90, 0, 1)),
        # pi, which writes both shapes at once
        (
            {
                "prompt_tokens": 177604,
                "completion_tokens": 53,
                "prompt_tokens_details": {"cached_tokens": 176585, "cache_creation_tokens": 1019},
                "input_tokens": 0,
                "cache_read_input_tokens": 176585,
                "cache_creation_input_tokens": 1019,
                "output_tokens": 53,
            },
            Usage(0, 176585, 1019, 0, 53),
        ),
        ({"input": 7, "output": 5, "cacheRead": 100, "cacheWrite": 20}, Usage(7, 100, 20, 0, 5)),
        # LiteLLM: Anthropic's names, OpenAI's sum
        ({"prompt_tokens": 100, "completion_tokens": 5, "cache_read_input_tokens": 80}, Usage(20, 80, output=5)),
        (
            {
                "prompt_tokens": 1000,
                "prompt_tokens_details": {
                    "cached_tokens": 100,
                    "cache_creation_tokens": 500,
                    "cache_creation_token_details": {
                        "ephemeral_5m_input_tokens": 200,
                        "ephemeral_1h_input_tokens": 300,
                    },
                },
            },
            Usage(400, 100, 200, 300),
        ),
        ({"prompt_tokens": 100, "cache_creation_input_tokens": 60, "completion_tokens": 5}, Usage(40, 0, 60, output=5)),
        ({"prompt_tokens": 100, "cache_creation_input_tokens": 900}, Usage(0, 0, 100)),
        # more cached than there is: never a negative count
        ({"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 500}}, Usage(0, 100)),
        ({"prompt_tokens": 100, "prompt_tokens_details": None, "completion_tokens": "many"}, Usage(100)),
    ],
)
def test_shapes(raw: dict[str, Any], usage: Usage) -> None:
    assert usage_of(raw) == usage


@pytest.mark.parametrize("raw", [None, {}, [], "usage", 5, {"tokens": 5}])
def test_no_usage(raw: Any) -> None:
    assert usage_of(raw) is None
