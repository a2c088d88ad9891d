from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.anthropic_messages import ANTHROPIC_MESSAGES, STORABLE
from adapters.errors import Refused, Unfoldable
from adapters.sse import Frame, Splitter, frame_of
from adapters.usage import Usage
from adapters.vocabulary import Answer

DATA = Path(__file__).parent / "data" / "anthropic"
PAIRS = sorted(path.stem for path in DATA.glob("*.sse"))

BODY: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


def refused(raw: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        ANTHROPIC_MESSAGES.parse(raw)
    assert caught.value.status == 400
    assert caught.value.kind == "invalid_request_error"
    return caught.value


def body(**members: Any) -> bytes:
    return json.dumps(BODY | members).encode()


def stateful(**members: Any) -> str:
    reason = ANTHROPIC_MESSAGES.stateful(BODY | members)
    assert reason.isascii()
    return reason


# ---------------------------------------------------------------- parse


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"stream": True},
        {"stream": None},
        {"max_tokens": 0},
        {"max_tokens": 10**30},
        {"system": 4, "thinking": [], "tools": "none", "stop_sequences": {}, "nobody_knows": {"a": [None]}},
        {"messages": [{"role": "narrator", "content": [{"type": "hologram"}]}, {}]},
        {"temperature": 1e-7, "metadata": {"user_id": None}},
    ],
)
def test_what_the_proxy_does_not_read_is_left_to_the_provider(members: dict[str, Any]) -> None:
    assert ANTHROPIC_MESSAGES.parse(body(**members)) == BODY | members


def test_a_missing_limit_is_left_to_the_provider() -> None:
    bare = {name: value for name, value in BODY.items() if name != "max_tokens"}
    assert ANTHROPIC_MESSAGES.parse(json.dumps(bare).encode()) == bare


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 4}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": {"role": "user"}}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{}, {}, {}, "hi"]}, "messages[3]"),
        ({"messages": [None]}, "messages[0]"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"max_tokens": None}, "max_tokens"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
    ],
)
def test_clear_errors_are_told_at_once(members: dict[str, Any], param: str) -> None:
    error = refused(body(**members))
    assert error.param == param
    assert param.partition("[")[0].rstrip("s") in error.message


@pytest.mark.parametrize("name", ["model", "messages"])
def test_missing_members_are_named(name: str) -> None:
    raw = json.dumps({member: value for member, value in BODY.items() if member != name}).encode()
    assert refused(raw).param == name


@pytest.mark.parametrize("raw", [b"", b"hello secret", b'["secret"]', b'{"secret":1,"secret":2}', b'{"secret": NaN}'])
def test_what_is_no_body_is_refused(raw: bytes) -> None:
    assert refused(raw).param is None


# ---------------------------------------------------------------- what the request wants


@pytest.mark.parametrize(("value", "wants"), [(True, True), (False, False), (None, False), (1, False)])
def test_wants_stream(value: Any, wants: bool) -> None:
    assert ANTHROPIC_MESSAGES.wants_stream(BODY | {"stream": value}) is wants
    assert ANTHROPIC_MESSAGES.wants_stream(BODY) is False


def test_streams_always_carry_usage() -> None:
    assert ANTHROPIC_MESSAGES.wants_usage({}) is True
    usage = frame_of(b'{"type":"message_delta","delta":{},"usage":{"output_tokens":3}}', "message_delta")
    assert ANTHROPIC_MESSAGES.is_usage_only(usage) is False


# ---------------------------------------------------------------- stateful


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"container": "container_01"}, "container"),
        ({"container": {"skills": []}}, "container"),
        ({"container": {}}, "container"),
        ({"mcp_servers": [{"type": "url", "url": "https://a.test", "name": "a"}]}, "mcp_servers"),
        ({"diagnostics": {"previous_message_id": None}}, "diagnostics"),
        ({"context_management": {"edits": []}}, "context_management"),
        ({"fallbacks": "default"}, "fallbacks"),
        ({"fallbacks": [{"model": "n"}]}, "fallbacks"),
        ({"fallback_credit_token": "t"}, "fallback_credit_token"),
        ({"thread": {"type": "create"}}, "thread"),
        ({"compaction": {"type": "compaction"}}, "compaction"),
        ({"max_tokens": 0}, "max_tokens 0"),
    ],
)
def test_what_must_reach_the_provider(members: dict[str, Any], reason: str) -> None:
    assert stateful(**members) == reason


NULL = dict.fromkeys(["container", "mcp_servers", "diagnostics", "context_management", "fallbacks", "thread", "tools"])


@pytest.mark.parametrize(
    "members",
    [
        {},
        NULL,
        {"mcp_servers": [], "fallbacks": [], "thread": {}, "compaction": {}, "tools": []},
        {"max_tokens": 1},
        {"max_tokens": False},
        {"max_tokens": 0.0},
        {"tools": [{"name": "f", "input_schema": {}}, {"type": "custom", "name": "g"}, {"type": None, "name": "h"}]},
        {"tools": {"type": "web_search_20250305"}},
        {"tools": "web_search_20250305"},
        {"tools": [None, "web_search_20250305", []]},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]},
        {"thinking": {"type": "adaptive"}, "cache_control": {"type": "ephemeral"}, "service_tier": "auto"},
    ],
)
def test_what_is_a_function_of_the_request(members: dict[str, Any]) -> None:
    assert stateful(**members) == ""


CLIENTS = ["bash_20241022", "bash_20250124", "text_editor_20250728", "computer_20251124", "memory_20250818"]
CLIENTS += ["browser_toolset_20260801", "computer_toolset_20260801", "custom"]
PROVIDERS = ["web_search_20250305", "web_search_20260318", "web_fetch_20250910", "code_execution_20260521"]
PROVIDERS += ["tool_search_tool_bm25", "tool_search_tool_regex_20251119", "advisor_20260301", "mcp_toolset"]
PROVIDERS += ["bash_code_execution_20270101", "customs", "custom_20270101", "new_20270101", ""]


@pytest.mark.parametrize("kind", CLIENTS)
def test_tools_that_the_client_runs(kind: str) -> None:
    assert stateful(tools=[{"type": kind, "name": "t"}]) == ""


@pytest.mark.parametrize("kind", [*PROVIDERS, 4, ["bash_20250124"]])
def test_tools_that_the_provider_runs_or_nobody_knows(kind: Any) -> None:
    assert stateful(tools=[{"name": "f"}, {"type": kind, "name": "t"}]) == "server tools"


def test_every_type_of_tool_of_the_official_client_is_decided() -> None:
    from typing import get_args, get_type_hints

    from anthropic.types import beta

    kinds = set()
    for tool in get_args(beta.BetaToolUnionParam):
        literal = get_type_hints(tool)["type"]
        kinds |= {kind for kind in (get_args(literal) or ()) if isinstance(kind, str)}
        kinds |= {kind for part in get_args(literal) for kind in get_args(part) if isinstance(kind, str)}
    assert len(kinds) > 20
    run_here = ("bash_", "text_editor_", "computer_", "memory_", "browser_", "custom")
    for kind in kinds:
        assert stateful(tools=[{"type": kind}]) == ("" if kind.startswith(run_here) else "server tools"), kind


@pytest.mark.parametrize(
    ("role", "kind", "reason"),
    [
        ("system", "web_search_20250305", "server tools"),
        ("system", "custom", ""),
        ("system", None, ""),
        ("user", "web_search_20250305", ""),
    ],
)
def test_tools_that_a_system_message_defines(role: str, kind: Any, reason: str) -> None:
    definition = {"type": "tool_definition", "definition": {"type": kind, "name": "t"}}
    content = [{"type": "text", "text": "a"}, {"type": "tool_addition", "tool": definition}]
    assert stateful(messages=[{"role": "user", "content": "a"}, {"role": role, "content": content}]) == reason


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1) | st.sampled_from(["", "system", "tool_addition", "bash_20250124"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "role", "content", "tool", "definition", "usage", "delta"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*NULL, *BODY, "compaction"]), anything))
def test_requests_of_any_form_are_decided(odd: dict[str, Any]) -> None:
    assert ANTHROPIC_MESSAGES.stateful(odd).isascii()
    assert ANTHROPIC_MESSAGES.wants_stream(odd) is False


# ---------------------------------------------------------------- what may be kept

TEXT = {"type": "text", "text": "hi"}
CALL = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
THOUGHT = {"type": "thinking", "thinking": "hmm", "signature": "s"}


def objection(*content: Any, **members: Any) -> str:
    message = {"type": "message", "content": list(content), "stop_reason": "end_turn"} | members
    told = ANTHROPIC_MESSAGES.objection(message)
    assert told.isascii()
    return told


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([TEXT], "end_turn"),
        ([THOUGHT, TEXT], "end_turn"),
        ([TEXT], "stop_sequence"),
        ([TEXT, CALL], "tool_use"),
        ([CALL, CALL | {"input": {"a": [1]}}], "tool_use"),
        ([{"type": "hologram"}], "end_turn"),
        ([{"type": "text", "text": ""}, TEXT], "end_turn"),
    ],
)
def test_answers_that_would_be_the_same_next_time_are_kept(content: list[Any], reason: str) -> None:
    assert objection(*content, stop_reason=reason) == ""


CUT = ["max_tokens", "pause_turn", "refusal", "model_context_window_exceeded", "compaction", "made_up"]


@pytest.mark.parametrize("reason", CUT)
def test_answers_that_were_cut_are_not_kept(reason: str) -> None:
    assert objection(TEXT, stop_reason=reason) == f"stop_reason {reason}"


@pytest.mark.parametrize("reason", ['a"b', "a\r\nb: c", "é", "", "a" * 41, 4, ["end_turn"], {}, True])
def test_what_a_provider_made_up_does_not_break_a_header(reason: Any) -> None:
    assert objection(TEXT, stop_reason=reason) == "unknown stop_reason"


def test_an_answer_without_an_end_is_not_kept() -> None:
    assert objection(TEXT, stop_reason=None) == "no stop_reason"
    assert ANTHROPIC_MESSAGES.objection({}) == "no stop_reason"


@pytest.mark.parametrize("members", [{"error": {"type": "api_error"}}, {"type": "error"}, {"error": "no"}])
def test_errors_are_not_kept(members: dict[str, Any]) -> None:
    assert objection(TEXT, **members) == "error"


@pytest.mark.parametrize(
    "content",
    [
        [],
        [{"type": "text", "text": ""}],
        [{"type": "text"}],
        [THOUGHT],
        [{"type": "redacted_thinking", "data": "x"}],
        [None],
        ["hi"],
        [{}],
        [THOUGHT, {"type": "text", "text": None}],
    ],
)
def test_answers_that_say_nothing_are_not_kept(content: list[Any]) -> None:
    assert objection(*content) == "empty answer"


@pytest.mark.parametrize("content", [None, {}, "hi", 3])
def test_content_that_is_no_list_is_none(content: Any) -> None:
    assert objection(content=content) == "empty answer"


@pytest.mark.parametrize("value", [None, "{}", [], 3])
def test_tools_that_cannot_be_called_are_not_kept(value: Any) -> None:
    assert objection(CALL, CALL | {"input": value}, stop_reason="tool_use") == "tool arguments do not parse"
    assert objection({"type": "tool_use"}, stop_reason="tool_use") == "tool arguments do not parse"


def test_a_tool_must_be_called_where_the_reason_says_so() -> None:
    assert objection(TEXT, stop_reason="tool_use") == "no tool calls"
    assert objection(TEXT, {"type": "server_tool_use", "input": {}}, stop_reason="tool_use") == "no tool calls"


# ---------------------------------------------------------------- streams that do not fold


def frames_of(name: str) -> list[Frame]:
    splitter = Splitter()
    frames = splitter.feed((DATA / f"{name}.sse").read_bytes())
    rest = splitter.rest()
    return frames + ([Frame(rest)] if rest else [])


def whole_of(name: str) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads((DATA / f"{name}.json").read_bytes())
    return whole


def stream(*events: dict[str, Any]) -> list[Frame]:
    return [frame_of(json.dumps(event).encode(), event["type"]) for event in (*events, {"type": "message_stop"})]


def ended(reason: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}}


def piece(text: Any, index: Any = 0) -> dict[str, Any]:
    delta = {"type": "input_json_delta", "partial_json": text}
    return {"type": "content_block_delta", "index": index, "delta": delta}


BEGUN = {"type": "content_block_start", "index": 0, "content_block": CALL}


@pytest.mark.parametrize("name", [name for name in PAIRS if name != "text_empty_block"])
def test_the_events_say_what_the_whole_message_says(name: str) -> None:
    assert ANTHROPIC_MESSAGES.frames_objection(frames_of(name)) == ANTHROPIC_MESSAGES.objection(whole_of(name))


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([], "no stop_reason"),
        ([BEGUN], "no stop_reason"),
        ([BEGUN, ended(None)], "no stop_reason"),
        ([BEGUN, ended("end_turn")], ""),
        ([BEGUN, ended("end_turn"), ended(None)], ""),
        ([BEGUN, ended("end_turn"), ended("max_tokens")], "stop_reason max_tokens"),
        ([BEGUN, ended(["end_turn"])], "unknown stop_reason"),
        ([BEGUN, ended('"\r\n')], "unknown stop_reason"),
        ([ended("end_turn")], "empty answer"),
        ([BEGUN, ended("end_turn"), {"type": "error", "error": {}}], "error"),
        ([BEGUN, piece('{"a":'), piece("1}"), ended("tool_use")], ""),
        ([BEGUN, piece(""), ended("tool_use")], ""),
        ([BEGUN, piece('{"a":'), ended("tool_use")], "tool arguments do not parse"),
        ([BEGUN, piece("{}", 0), piece("{", 1), ended("tool_use")], "tool arguments do not parse"),
        ([BEGUN, piece("{", [0]), piece("}", None), piece(4, {}), ended("tool_use")], ""),
        ([BEGUN, {"type": "news"}, ended("end_turn")], ""),
    ],
)
def test_events_alone(events: list[dict[str, Any]], told: str) -> None:
    assert ANTHROPIC_MESSAGES.frames_objection(stream(*events)) == told


def test_a_text_about_an_end_is_no_end() -> None:
    telling = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "stop_reason": "end_turn"}}
    assert ANTHROPIC_MESSAGES.frames_objection(stream(BEGUN, telling)) == "no stop_reason"


@settings(max_examples=150, deadline=None)
@given(st.lists(anything, max_size=4), anything)
def test_answers_of_any_form_are_judged(events: list[Any], content: Any) -> None:
    frames = [frame_of(json.dumps(event).encode()) for event in events] + [Frame(b"data: \xff\n\n"), Frame(b"x")]
    assert ANTHROPIC_MESSAGES.frames_objection(frames).isascii()
    for reason in (*STORABLE, content):
        assert ANTHROPIC_MESSAGES.objection({"content": content, "stop_reason": reason}).isascii()
        assert ANTHROPIC_MESSAGES.objection({"content": [content, *events], "stop_reason": reason}).isascii()
    ANTHROPIC_MESSAGES.usage({"usage": content, "message": content})
    ANTHROPIC_MESSAGES.stream_usage(frames)


@pytest.mark.parametrize(("reason", "told"), [("end_turn", "end_turn"), (None, ""), (4, ""), (["tool_use"], "")])
def test_finish(reason: Any, told: str) -> None:
    assert ANTHROPIC_MESSAGES.finish({"stop_reason": reason}) == told
    assert ANTHROPIC_MESSAGES.finish({}) == ""


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("invalid_request_error", "invalid_request_error"),
        ("authentication_error", "authentication_error"),
        ("rate_limit_error", "rate_limit_error"),
        ("overloaded_error", "overloaded_error"),
        ("api_error", "api_error"),
        ("server_error", "api_error"),
        ("cache_miss", "api_error"),
        ("made_up", "api_error"),
        ("", "api_error"),
    ],
)
def test_errors_have_the_names_of_the_provider(kind: str, named: str) -> None:
    told = json.loads(ANTHROPIC_MESSAGES.error("no\n", kind=kind))
    assert told == {"type": "error", "error": {"type": named, "message": "no\n"}, "request_id": None}


def test_an_error_names_the_parameter_and_the_code_where_there_are_any() -> None:
    told = json.loads(ANTHROPIC_MESSAGES.error("no", kind="api_error", param="model", code="c"))
    assert told["error"] == {"type": "api_error", "message": "no", "param": "model", "code": "c"}


def test_an_error_event_is_an_error_and_no_end() -> None:
    frame = ANTHROPIC_MESSAGES.error_frame("torn", kind="server_error", code="torn")
    assert frame.event == "error"
    assert frame.json() == json.loads(ANTHROPIC_MESSAGES.error("torn", kind="server_error", code="torn"))
    assert ANTHROPIC_MESSAGES.is_error(frame)
    assert not ANTHROPIC_MESSAGES.is_end(frame)


def test_the_official_client_raises_our_errors() -> None:
    import anthropic
    import httpx2

    asked: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    torn = ANTHROPIC_MESSAGES.error_frame("torn", kind="server_error").raw

    def answer(request: httpx2.Request) -> httpx2.Response:
        if json.loads(request.content).get("stream"):
            start = b'event: message_start\ndata: {"type":"message_start","message":{"content":[],"usage":{}}}\n\n'
            return httpx2.Response(200, headers={"Content-Type": "text/event-stream"}, content=start + torn)
        told = ANTHROPIC_MESSAGES.error("no such key", kind="authentication_error", code="bad_key")
        return httpx2.Response(401, headers={"Content-Type": "application/json"}, content=told)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = anthropic.Anthropic(api_key="k", base_url="http://a.test", http_client=http, max_retries=0)
        with pytest.raises(anthropic.AuthenticationError) as refusal:
            client.messages.create(**asked)
        assert "no such key" in refusal.value.message
        with pytest.raises(anthropic.APIStatusError) as broken, client.messages.stream(**asked) as events:
            list(events)
        assert "torn" in broken.value.message


# ---------------------------------------------------------------- together


@pytest.mark.parametrize("name", PAIRS)
def test_an_answer_is_the_same_streamed_and_whole(name: str) -> None:
    frames, whole = frames_of(name), whole_of(name)
    streamed = Answer(ANTHROPIC_MESSAGES, frames=frames)
    at_once = Answer(ANTHROPIC_MESSAGES, body=json.dumps(whole).encode())
    assert streamed.message() == at_once.message() == whole
    assert streamed.usage() == at_once.usage()
    assert isinstance(at_once.usage(), Usage)


def test_a_stream_that_says_more_than_a_message_can_keeps_its_frames() -> None:
    answer = Answer(ANTHROPIC_MESSAGES, frames=[*frames_of("text")[:-1], *stream({"type": "news", "of": "tides"})])
    with pytest.raises(Unfoldable):
        answer.message()
    assert ANTHROPIC_MESSAGES.frames_objection(answer.frames) == ""
    assert answer.usage() == Usage(uncached=25, output=15)
