import pytest

from proxy.redact import redact, redact_text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("key sk-proj-abcDEF123_456-789 ok", "key [redacted] ok"),
        ("sk-ant-api03-AAAABBBB", "[redacted]"),
        ("Authorization: Bearer abc.DEF-123_456=\n", "Authorization: Bearer [redacted]\n"),
        ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
        ("https://x/?api_key=abcdef123&q=1", "https://x/?api_key=[redacted]&q=1"),
        ("API-KEY: 'abcdef123'", "API-KEY: '[redacted]'"),
        ('{"api_key": "abcdef123", "q": 1}', '{"api_key": "[redacted]", "q": 1}'),
        (r"{\"apiKey\": \"abcdef123\"}", r"{\"apiKey\": \"[redacted]\"}"),
        ("OPENAI_API_KEY=abcdef123456", "OPENAI_API_KEY=[redacted]"),
        ("ghp_0123456789abcdefABCDEF", "[redacted]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123 ok", "[redacted] ok"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----!", "[redacted]!"),
    ],
)
def test_credentials_go(text: str, left: str) -> None:
    assert redact_text(text) == left
    assert redact_text(left) == left


@pytest.mark.parametrize(
    "text",
    [
        "a task-management tool",
        "risk-adjusted returns",
        "the bearer of news",
        "api_key = get_key()",
        "monkey: banana",
        "",
    ],
)
def test_prose_and_code_stay(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "piece",
    [
        "eyJ-",
        "eyJaaaaaaaaaaaaaa.",
        "sk-",
        "bearer ",
        "api_key=",
        "api_key   ",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_no_text_costs_quadratic_time(piece: str) -> None:
    redact_text(piece * 200_000)


def test_values_of_any_depth() -> None:
    value = {
        "messages": [{"content": [{"text": "sk-0123456789"}]}],
        "api_key": "short",
        "extra": {"Authorization": "Basic x", "api_key": {"type": "string"}},
        "sk-0123456789": 1,
        "n": 5,
    }
    assert redact(value) == {
        "messages": [{"content": [{"text": "[redacted]"}]}],
        "api_key": "[redacted]",
        "extra": {"Authorization": "[redacted]", "api_key": {"type": "string"}},
        "[redacted]": 1,
        "n": 5,
    }


@pytest.mark.parametrize("prefix", ["gsk_", "csk-", "xai-", "pplx-", "nvapi-", "r8_", "tgp_", "fw_", "hf_", "AIza"])
def test_keys_of_other_providers_go_and_their_prefixes_alone_stay(prefix: str) -> None:
    assert redact_text(f"use {prefix}{'a1B2c3D4' * 3} now") == "use [redacted] now"
    assert redact_text(f"a name like {prefix}short stays") == f"a name like {prefix}short stays"
