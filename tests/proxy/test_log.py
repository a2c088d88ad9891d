import asyncio
import io
import json
import logging
import re
import warnings
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from aiohttp import web
from aiohttp.http_exceptions import InvalidHeader, LineTooLong
from hypothesis import assume, example, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from proxy.log import Formatter, Redaction, redact, setup

KEY = "sk-proj-Zx9k3yValUe_-000000000000AbCdEf"
OPAQUE = "Zx9k3y.ValUe-~A/b+c="

FORMS = {
    "header": "{name}: {scheme}{secret}\r\nHost: x",
    "in a sentence": "the provider said no to {name}: {scheme}{secret}",
    "assignment": "{name}={scheme}{secret}",
    "quoted in a shell": "curl -H '{name}: {scheme}{secret}' http://x/",
    "double quotes": '"{name}": "{scheme}{secret}", "n": 1',
    "spaced": "'{name}' : '{scheme}{secret}'",
    "escaped twice": r"{{\\\"{name}\\\":\\\"{scheme}{secret}\\\"}}",
}
WRAPPED = {
    "as it is": str,
    "repr": repr,
    "repr of bytes": lambda text: repr(text.encode()),
    "json": json.dumps,
    "json in json": lambda text: json.dumps({"body": json.dumps({"text": text})}),
    "percent": lambda text: quote(text, safe=""),
    "plus": quote_plus,
    "percent but slashes": quote,
}
NAMES = [
    "Authorization",
    "authorization",
    "Proxy-Authorization",
    "x-api-key",
    "X-API-KEY",
    "api-key",
    "api_key",
    "OPENAI_API_KEY",
]


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer  "])
def test_a_secret_behind_its_name_is_taken_out_however_it_is_written(form, wrap, name, scheme):
    for secret in (KEY, OPAQUE):
        text = wrap(form.format(name=name, scheme=scheme, secret=secret))
        clean = redact(text)
        assert "****" in clean
        for shape in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret)):
            assert shape not in clean
        assert "ValUe" not in clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abc", "Authorization: ****"),
        ("{'Authorization': 'Bearer abc', 'Host': 'x'}", "{'Authorization': '****', 'Host': 'x'}"),
        ("((b'Host', b'x'), (b'X-Api-Key', b'abc'))", "((b'Host', b'x'), (b'X-Api-Key', b'****'))"),
        ("<CIMultiDict('api-key': 'abc', 'Host': 'x')>", "<CIMultiDict('api-key': '****', 'Host': 'x')>"),
        ('{"api_key": "abc", "n": 1}', '{"api_key": "****", "n": 1}'),
        (r"{\"api_key\": \"a\\\"bc\", \"n\": 1}", r"{\"api_key\": \"****\", \"n\": 1}"),
        ("OPENAI_API_KEY=abc warmgate serve", "OPENAI_API_KEY=**** warmgate serve"),
        ("Authorization%3A%20Bearer%20abc", "Authorization%3A%20****"),
        ("%22x-api-key%22%3A%22abc%22%2C", "%22x-api-key%22%3A%22****%22%2C"),
        ("b'Bearer abc\\xff'", "b'Bearer ****'"),
        ("Bearer abc def", "Bearer **** def"),
        ("b'Basic dXNlcjpwYXNz'", "b'Basic ****'"),
        (f"key {KEY}, and", "key ****, and"),
        (f"'a\\n{KEY}'", r"'a\n****'"),
        (f"a%20{KEY}%0A", "a%20****"),
        ("Cookie: a=b; c=d", "Cookie: ****"),
        ("https://me:pass@host/v1?key=abc&n=1", "https://****@host/v1?key=****&n=1"),
        ("password='abc' user='me'", "password='****' user='me'"),
        ("AIzaSyA0123456789012345678901234567890x", "****"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0xx.c2ln", "****"),
    ],
)
def test_redact(text, clean):
    assert redact(text) == clean
    assert redact(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET /v1/chat/completions 200 0.3 s",
        "no api key, please retry",
        "the variable `OPENAI_API_KEY` is not set",
        "upstream.api_key_env: null",
        "tenants.keys[0].key: must be a text",
        "task-force-one, disk-cache-size, desk-lamp-shade, sk-1",
        '{"prompt_tokens": 12, "prompt_cache_key": "user-1", "model": "gpt-6"}',
        "http://[::1]:4100/v1/models?limit=10",
        "basic usage of a cookie and of passwords",
        "mail me@example.com about http://host/",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redact(text) == text


token = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=16, max_size=60)
around = st.text(st.characters(codec="utf-8"), max_size=30)


@profile(max_examples=200)
@given(
    token,
    st.sampled_from(["sk-", "sk-proj-", "sk-ant-api03-", "gsk_", "xai-"]),
    around,
    around,
    st.sampled_from(list(WRAPPED)),
)
@example("A" * 16, "sk-", "\n", "\n", "repr of bytes")
@example("A" * 16, "sk-", "\xff", "", "percent")
def test_a_key_of_a_known_shape_never_survives(body, prefix, before, after, wrap):
    assume(body not in before + after)
    assert body not in redact(WRAPPED[wrap](f"{before} {prefix}{body} {after}"))


@profile(max_examples=200)
@given(
    st.text("abcXYZ0189-._~+/=", min_size=8, max_size=60).filter(lambda text: re.search("[a-zA-Z0-9]{6}", text)),
    st.sampled_from(list(FORMS)),
    st.sampled_from(list(WRAPPED)),
    st.sampled_from(NAMES),
    around.filter(lambda text: not text.endswith("\\")),
)
def test_a_bearer_token_never_survives(secret, form, wrap, name, before):
    assume(secret not in before)
    text = WRAPPED[wrap](before + " " + FORMS[form].format(name=name, scheme="Bearer ", secret=secret))
    assert WRAPPED[wrap](secret).strip("b'\"") not in redact(text)


@profile(max_examples=200)
@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_redacting_twice_changes_nothing_more(text):
    assert redact(redact(text)) == redact(text)


def test_a_long_hostile_text_takes_no_time():
    for piece in (
        "eyJ-",
        "\\",
        "authorization",
        "authorization\\",
        "://",
        "sk-",
        '"api_key":"',
        "Bearer ",
        "%20",
        ":\n\n'",
    ):
        redact(piece * (100_000 // len(piece)))


# Known secrets


@profile(max_examples=100)
@given(st.text(st.characters(codec="utf-8"), min_size=4, max_size=20), st.sampled_from(list(WRAPPED)))
def test_a_known_secret_never_survives_whatever_its_shape(secret, wrap):
    text = f"<{WRAPPED[wrap](secret)}>"
    assert secret not in Redaction([secret]).text(text) or secret in "<****>"


def test_the_longer_of_two_known_secrets_leaves_no_rest():
    assert Redaction(["team", "team-key-1"]).text("team-key-1 team") == "**** ****"


def test_short_secrets_would_tear_holes_and_are_left():
    assert Redaction(["a", ""]).text("a banana") == "a banana"


# Output


@pytest.fixture
def logger():
    """A logger of its own, so that pytest's handlers stay where they are."""
    logger = logging.Logger("aiohttp.server")
    yield logger
    logging.captureWarnings(False)


@pytest.fixture
def lines(logger):
    def lines(form, log, **options):
        stream = io.StringIO()
        setup(options.pop("level", "debug"), form, stream, logger=logger, **options)
        log(logger)
        return stream.getvalue()

    return lines


def failing(error):
    def log(logger):
        try:
            raise error
        except type(error):
            logger.exception("Error handling request from %s", "::1")

    return log


def test_text_is_one_line_with_its_fields(lines):
    text = lines(
        "text", lambda logger: logger.info("asked\nno %s", "way", extra={"event": {"status": 200, "model": "m"}})
    )
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info aiohttp.server: asked\\nno way status=200 model=\"m\"\n", text
    )


def test_json_is_one_object_per_line(lines):
    event = {"status": 200, "cost": None, "message": "own", "parts": ("a", b"\xff"), "odd": float("nan"), "path": io}
    record = json.loads(lines("json", lambda logger: logger.warning("asked\n%s", "x", extra={"event": event})))
    assert re.fullmatch(r"\d{4}-.*Z", record.pop("ts"))
    assert "module 'io'" in record.pop("path")
    assert record == {
        "level": "warning", "logger": "aiohttp.server", "message": "asked\nx", "status": 200, "cost": None,
        "event_message": "own", "parts": ["a", "\\xff"], "odd": None,
    }  # fmt: skip


def test_the_level_holds(lines):
    assert lines("text", lambda logger: logger.info("quiet"), level="warning") == ""


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"Authorization: Bearer {OPAQUE}"),
        ValueError({"x-api-key": OPAQUE}),
        LineTooLong(f"Bearer {OPAQUE}".encode()),
        LineTooLong(OPAQUE.encode(), 8190),
        InvalidHeader(f"X-Odd {OPAQUE}".encode()),
        ValueError(f"Invalid header value char:\n\n  {OPAQUE.encode()!r}\n    ^"),
    ],
    ids=str,
)
def test_a_traceback_is_there_and_holds_no_secret(lines, form, error):
    text = lines(form, failing(error))
    assert "Traceback (most recent call last)" in text
    assert "****" in text
    assert "ValUe" not in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_every_part_of_a_record_is_redacted(lines, form):
    event = {
        "authorization": f"Bearer {OPAQUE}", "headers": [["X-Api-Key", OPAQUE]], "deep": {"api_key": OPAQUE},
        "raw": f"Bearer {OPAQUE}".encode(), f"Bearer {OPAQUE}": 1, "error": ValueError(f"api-key: {OPAQUE}"), "n": 7,
    }  # fmt: skip
    text = lines(
        form, lambda logger: logger.info("%s", f"x-api-key: {OPAQUE}", extra={"event": event}, stack_info=True)
    )
    assert "ValUe" not in text
    assert ("n=7" if form == "text" else '"n":7') in text
    assert form == "text" or json.loads(text.splitlines()[0])["deep"] == {"api_key": "****"}


@pytest.mark.parametrize("form", ["text", "json"])
def test_known_secrets_are_taken_out_of_every_part(lines, form):
    event = {"note": "the team-key-1 again", "team-key-1": "x"}
    log = failing(ValueError("team-key-1"))
    secrets = ["team-key-1"]
    assert "team-key-1" not in lines(form, log, secrets=secrets)
    assert "team-key-1" not in lines(
        form, lambda logger: logger.info("team-key-1", extra={"event": event}), secrets=secrets
    )


async def test_what_a_real_server_logs_about_a_broken_request_holds_no_secret(logger):
    stream = io.StringIO()
    setup("debug", "text", stream, logger=logger)
    runner = web.AppRunner(web.Application(), logger=logger)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    broken = [f"Authorization: Bearer {OPAQUE * 500}", f"x-api-key: {OPAQUE}\0", f"{OPAQUE} x: y", f"X: {OPAQUE * 500}"]
    for header in broken:
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(f"GET / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        assert b" 400 " in await reader.readline()
        await reader.read()
        writer.close()
        await writer.wait_closed()
    await runner.cleanup()
    assert stream.getvalue().count("****") >= len(broken)
    assert "ValUe" not in stream.getvalue()


def test_a_record_that_can_not_be_formatted_says_so_and_nothing_else(lines):
    text = lines("text", lambda logger: logger.info("%d", f"Bearer {OPAQUE}"))
    assert text.startswith("a log record of aiohttp.server (line ")
    assert text.endswith("was lost: TypeError\n")
    assert "ValUe" not in text


def test_characters_that_the_stream_has_no_sign_for_are_escaped(logger):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    setup("info", "text", stream, logger=logger)
    logger.info("é \udcff")
    stream.flush()
    assert raw.getvalue().endswith(b": \\xe9 \\udcff\n")


def test_a_stream_that_is_gone_fails_nobody(logger):
    stream = io.StringIO()
    setup("info", "text", stream, logger=logger)
    stream.close()
    logger.info("x")
    assert logger.handlers[0].stream.closed


def test_setting_up_again_replaces_what_was_there(logger):
    logger.addHandler(logging.StreamHandler(first := io.StringIO()))
    setup("info", "text", second := io.StringIO(), logger=logger)
    setup("info", "json", third := io.StringIO(), logger=logger)
    logger.info("x")
    assert (first.getvalue(), second.getvalue()) == ("", "")
    assert msgspec.json.decode(third.getvalue())["message"] == "x"
    assert isinstance(logger.handlers[0].formatter, Formatter)


def test_without_a_logger_it_is_the_root_that_everything_ends_in():
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    try:
        setup("warning", "text", stream)
        logging.getLogger("aiohttp.server").error("Bearer %s", OPAQUE)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(True)
            warnings.warn(f"api_key={OPAQUE}", stacklevel=1)
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = before
        root.setLevel(level)
    assert "error aiohttp.server: Bearer ****\n" in stream.getvalue()
    assert "warning py.warnings: " in stream.getvalue()
    assert "ValUe" not in stream.getvalue()
