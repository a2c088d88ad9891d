from typing import Literal

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from msgspec import inspect

from proxy import config, config_types
from proxy.config_problem import Problem
from proxy.config_value import SCHEMA, WRONG, Item, Word, read, settings, written

POLICY = Literal["lru", "lfu", "fifo", "ttl"]


def value_of(kind, text, *, plain=True, textual=True):
    """The value read, or the one problem noted."""
    problems: list[Problem] = []
    value = read(inspect.type_info(kind), Item(Word(text, plain, textual)), ("x",), problems)
    if value is WRONG:
        (problem,) = problems
        return problem.message
    assert not problems
    return value


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1), ("4096", 4096), ("64KiB", 65536), ("64MiB", 2**26), ("1GiB", 2**30), ("2TiB", 2**41),
        ("10kB", 10_000), ("10KB", 10_000), ("10MB", 10**7), ("1GB", 10**9), ("3 MiB", 3 * 2**20), ("1.5KiB", 1536),
        ("7B", 7),
    ],
)  # fmt: skip
def test_sizes(text, size):
    assert value_of(config.Size, text) == size
    assert type(value_of(config.Size, text)) is int


@pytest.mark.parametrize(
    "text",
    ["0", "-1", "-5MiB", "0.3B", "1.5", "64M", "64mib", "64Mb", "MiB", "", "1e400", "0x10", "٣", "9" * 400, "inf"],
)
def test_what_is_no_size(text):
    assert "must be a size of 1 byte or more" in value_of(config.Size, text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("300", 300.0), ("0.5", 0.5), ("500ms", 0.5), ("300s", 300.0), ("5m", 300.0), ("1h", 3600.0), ("7d", 604800.0)],
)
def test_times(text, seconds):
    assert value_of(config.Span, text) == seconds
    assert type(value_of(config.Span, text)) is float


@pytest.mark.parametrize("text", ["0", "0s", "-1", "1h30m", "5 minutes", "5M", "1:30", ".inf", "nan", ""])
def test_what_is_no_time_to_live(text):
    assert "must be a time of more than 0" in value_of(config.Span, text)


def test_a_wait_may_be_zero():
    assert value_of(config.Wait, "0") == 0
    assert "0 or more" in value_of(config.Wait, "-0.1")


def test_a_number_in_quotes_is_a_text_but_a_size_with_its_unit_may_be_quoted():
    assert "whole number" in value_of(config.Port, "4100", plain=False)
    assert "must be a size" in value_of(config.Size, "4100", plain=False)
    assert value_of(config.Size, "64KiB", plain=False) == 65536
    assert "true or false" in value_of(bool, "true", plain=False)


@pytest.mark.parametrize(("text", "port"), [("0", 0), ("4100", 4100), ("65535", 65535)])
def test_ports(text, port):
    assert value_of(config.Port, text) == port


@pytest.mark.parametrize("text", ["-1", "65536", "80.0", "0o17", "0x50", "4_100", "1:30", "http", "true", ""])
def test_what_is_no_port(text):
    assert value_of(config.Port, text) == "must be a whole number from 0 to 65535"


@pytest.mark.parametrize("text", ["yes", "no", "on", "off", "1", "0", "y", ""])
def test_only_true_and_false_are_truth_values(text):
    assert value_of(bool, text) == "must be true or false"
    assert value_of(bool, "true") is True
    assert value_of(bool, "False") is False


@pytest.mark.parametrize("text", ["0", "-3", "nan", ".inf", "1e999", "ten"])
def test_what_is_no_rate(text):
    assert value_of(config.Rate, text) == "must be a number, more than 0"
    assert value_of(config.Rate, "1e3") == 1000.0


def test_a_choice_names_what_is_allowed_and_what_was_probably_meant():
    message = value_of(POLICY, "lfuu")
    assert all(f"{name}" in message for name in ("lru", "lfu", "fifo", "ttl"))
    assert message.endswith("did you mean `lfu`?")
    assert value_of(POLICY, "LRU2").startswith("must be one of")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (config.Variable, ["OPENAI_API_KEY", "_K1"], ["openai_api_key", "sk-abcdef", "gsk_AbC123", "1A", "A-B", "A B"]),
        (config.Secret, ["abc", "sk-proj_a.b~c+d/e==", "1"], ["a b", "ä", 'a"b', "a,b", "a=b"]),
        (config.Name, ["search", "team-1.eu_x", "7"], ["-a", "a b", "a/b", "x" * 65, "ü"]),
        (config.File, ["a.sqlite", "/var/lib/a", "~/x"], ["a/", "/"]),
        (config.Url, ["simulated", "http://h", "https://u:p@h:1/v1?a=b", "http://[::1]:8000/v1/"],
         ["ftp://h", "h/v1", "https:///v1", "https://h:99999", "https://h/v1#x", "https://h/v1/chat/completions",
          "https://a b", "https://[x", "simulation", "https://u:1/p@h/v1"]),
        (config.Text, ["127.0.0.1", "::"], ["", "a\nb", "a\x00"]),
    ],
)  # fmt: skip
def test_texts(kind, good, bad):
    for text in good:
        assert value_of(kind, text) == text
    for text in bad:
        message = value_of(kind, text)
        assert message != text, text
        assert len(text) < 3 or text not in message, "a message must not repeat the value"


def test_a_text_that_yaml_takes_for_something_else_wants_quotes():
    assert "put it in quotes" in value_of(config.Text, "no", textual=False)


@pytest.mark.parametrize("value", [None, [], {}, [Item(Word("sk-secret1"))]])
def test_wrong_kinds_of_values_are_problems_of_every_scalar(value):
    for kind in (
        config.Text,
        config.Secret,
        config.Size,
        config.Span,
        config.Port,
        config.Rate,
        bool,
        POLICY,
    ):
        problems: list[Problem] = []
        assert read(inspect.type_info(kind), Item(value), ("x",), problems) is WRONG
        assert len(problems) == 1
        assert "secret1" not in str(problems[0])


def test_the_list_of_settings_is_complete_and_in_order():
    ways = [".".join(trail) for trail in settings()]
    assert ways[:3] == ["listen.host", "listen.port", "listen.unix"]
    assert ways[-1] == "log.requests"
    assert "cache.multi_level.l2.persistence_path" in ways
    assert "prices" in ways
    assert len(ways) == len(set(ways)) == 174


@profile(max_examples=200)
@given(st.integers(1, 10**15))
def test_a_size_reads_back_as_it_was_written(size):
    text = str(written(inspect.type_info(config.Size), size, lambda form, text: text))
    assert value_of(config.Size, text) == size


@profile(max_examples=200)
@given(st.floats(1e-9, 1e14))
def test_a_time_reads_back_as_it_was_written(seconds):
    text = str(written(inspect.type_info(config.Span), seconds, lambda form, text: text))
    assert value_of(config.Span, text) == seconds


@profile(max_examples=200)
@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_breaks_a_reader_and_no_message_repeats_it(before, after):
    text = f"{before}Zx9k3yVal{after}"
    for kind in (config.Size, config.Span, config.Port, config.Rate, config.Url, config.Secret, config.Variable, bool):
        read_or_told = value_of(kind, text)
        assert read_or_told == text or "Zx9k3yVal" not in read_or_told


def test_written_covers_the_whole_tree():
    tree = written(SCHEMA, config.Settings(), lambda form, text: text)
    assert tree["limits"] == {"body": "64MiB", "headers": "64KiB"}
    assert tree["cache"]["multi_level"]["l2"]["ttl"] == 3600


@pytest.mark.parametrize("text", ["redis://h", "rediss://u:p@h:6380/2", "unix:///run/redis.sock", "redis://[::1]:1/0"])
def test_where_a_redis_may_be(text):
    assert value_of(config_types.RedisUrl, text) == text


@pytest.mark.parametrize("text", ["localhost:6379", "http://h", "redis://", "unix://", "redis://h:x", "redis://a b"])
def test_what_is_no_redis(text):
    assert "redis://" in value_of(config_types.RedisUrl, text) or "not a valid URL" in value_of(
        config_types.RedisUrl, text
    )
