"""A replayed stream: OpenAI's client reads it as it reads OpenAI's, and folding it gives the answer back."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response

from adapters.errors import Unfoldable
from adapters.openai_responses_fold import fold, is_end, is_error, read
from adapters.openai_responses_unfold import TERMINAL, unfold
from adapters.openai_unfold import PIECES
from adapters.sse import Frame, Splitter

DATA = Path(__file__).parent / "data" / "responses"
WHOLE = {path.stem: json.loads(path.read_bytes()) for path in sorted(DATA.glob("*.json"))}
TOLD = sorted(name for name, answer in WHOLE.items() if answer["status"] != "failed")
COMPLETED = sorted(name for name, answer in WHOLE.items() if answer["status"] == "completed")


def whole(*output: Any, **members: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "output": list(output),
        "usage": None,
    } | members


def message(*parts: Any, **members: Any) -> dict[str, Any]:
    parts = parts or ({"type": "output_text", "text": "Hello there, world!", "annotations": [], "logprobs": []},)
    known = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": list(parts)}
    return known | members


def text(**members: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": "Hello there, world!", "annotations": []} | members


def events(answer: dict[str, Any]) -> list[dict[str, Any]]:
    frames = unfold(answer, usage=True)
    decoded = [frame.json() for frame in frames]
    assert [event["sequence_number"] for event in decoded] == list(range(len(frames)))
    assert [event["type"] for event in decoded] == [frame.event for frame in frames]
    return decoded


def told(answer: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What is said of the output: types without their prefix, and the members that differ."""
    head, tail = (
        ("type", "sequence_number", "item_id"),
        ("response.created", "response.in_progress", *TERMINAL.values()),
    )
    return [
        (event["type"].removeprefix("response."), {k: v for k, v in event.items() if k not in head})
        for event in events(answer)
        if event["type"] not in tail
    ]


def exact(value: Any) -> bytes:
    """Canonical JSON: tells 1 from 1.0 and from true, as `==` does not."""
    return msgspec.json.encode(value, order="deterministic")


# ---------------------------------------------------------------- the property

texts = st.text(max_size=40)
unknown = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
extras = st.dictionaries(st.sampled_from(["u_one", "häufig", "", "status", "text", "content"]), unknown, max_size=2)


def some(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of these members, with unknown ones, which may also stand in for known ones."""
    known = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda members, more: more | members, known, extras)


@st.composite
def output_texts(draw: st.DrawFn) -> dict[str, Any]:
    said = draw(texts)
    places = sorted(draw(st.lists(st.integers(0, len(said)), max_size=5)))
    words = [said[a:b] for a, b in zip([0, *places], [*places, len(said)], strict=True)]
    words += draw(st.lists(st.just("\\xe2"), max_size=1))  # a token that is no whole character
    tokens: Any = [{"token": word, "logprob": -0.5, "top_logprobs": []} for word in words]
    part = {"type": "output_text", "text": said, "annotations": draw(st.lists(unknown, max_size=2) | st.none())}
    return draw(st.sampled_from([part, part | {"logprobs": tokens}, part | {"logprobs": None}]))


def parts(*kinds: str) -> st.SearchStrategy[Any]:
    known = some({"type": st.sampled_from([*kinds, "hologram"])}, {"text": texts, "refusal": texts})
    return st.lists(known | (output_texts() if "output_text" in kinds else known), max_size=3) | unknown


items = (
    some({"type": st.just("message")}, {"id": texts, "content": parts("output_text", "refusal")})
    | some(
        {"type": st.just("reasoning")},
        {
            "id": texts,
            "summary": parts("summary_text"),
            "content": parts("reasoning_text"),
            "encrypted_content": texts | st.none(),
        },
    )
    | some({"type": st.just("function_call")}, {"id": texts, "call_id": texts, "arguments": texts | unknown})
    | some({"type": st.just("custom_tool_call")}, {"id": texts, "call_id": texts, "input": texts | unknown})
    | some({}, {"type": unknown, "id": unknown, "call_id": unknown})
)
answers = some(
    {"status": st.sampled_from(sorted(TERMINAL)), "output": st.lists(items, max_size=3)},
    {"id": texts, "object": st.just("response"), "error": st.none(), "usage": unknown, "incomplete_details": unknown},
)


@settings(max_examples=300, deadline=None)
@given(answers)
def test_fold_gives_back_what_was_unfolded(answer: dict[str, Any]) -> None:
    before = exact(answer)
    try:
        frames = unfold(answer, usage=True)
    except Unfoldable:
        names = [exact([item.get("type"), item.get("call_id")]) for item in answer["output"]]
        assert len(set(names)) < len(names), "only items that can't be told apart are refused"
        return
    assert exact(fold(frames)) == before
    assert exact(answer) == before, "the answer itself is left as it was"
    assert frames == unfold(answer, usage=False)
    assert [is_end(frame) for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert not any(map(is_error, frames))


@settings(max_examples=100, deadline=None)
@given(answers)
def test_the_items_alone_hold_the_output(answer: dict[str, Any]) -> None:
    try:
        streamed = read(unfold(answer, usage=True))
    except Unfoldable:
        return
    assert exact(streamed.items) == exact(answer["output"])
    assert not streamed.unfinished


@settings(max_examples=60, deadline=None)
@given(answers, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_the_bytes_survive_any_cut(answer: dict[str, Any], eol: bytes, sizes: list[int]) -> None:
    try:
        frames = unfold(answer, usage=True)
    except Unfoldable:
        return
    raw = b"".join(frame.raw for frame in frames).replace(b"\n", eol)
    splitter, found, start, turn = Splitter(), list[Frame](), 0, 0
    while start < len(raw):
        size = sizes[turn % len(sizes)]
        found += splitter.feed(raw[start : start + size])
        start, turn = start + size, turn + 1
    rest = splitter.rest()  # after a lone CR the splitter has to wait whether a line feed follows
    found += [Frame(rest)] if rest else []
    assert exact(fold(found)) == exact(answer)


@pytest.mark.parametrize("name", TOLD)
def test_a_provider_s_whole_answer_comes_back(name: str) -> None:
    assert exact(fold(unfold(WHOLE[name], usage=True))) == exact(WHOLE[name])


# ---------------------------------------------------------------- the official client


def client(raw: bytes) -> openai.OpenAI:
    def answered(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=raw)

    transport = httpx2.Client(transport=httpx2.MockTransport(answered))
    return openai.OpenAI(api_key="sk-test", base_url="http://proxy.test/v1", http_client=transport, max_retries=0)


def replay(answer: dict[str, Any]) -> bytes:
    return b"".join(frame.raw for frame in unfold(answer, usage=True))


def plain(response: Response) -> Any:
    """What came, less what the client makes of it itself; its types never saw some of these items."""
    return without_parsed(response.model_dump(by_alias=True, exclude_unset=True, warnings=False))


def without_parsed(value: Any) -> Any:
    if isinstance(value, list):
        return [without_parsed(each) for each in value]
    if isinstance(value, dict):
        return {k: without_parsed(v) for k, v in value.items() if k not in ("parsed", "parsed_arguments")}
    return value


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of the client itself, for unknown parts
@pytest.mark.parametrize("name", COMPLETED)
def test_the_official_client_accumulates_the_replay(name: str) -> None:
    answer = WHOLE[name]
    with client(replay(answer)) as sdk, sdk.responses.stream(model="m", input="hi") as stream:
        seen = list(stream)
        final = stream.get_final_response()
    assert plain(final) == answer
    said = Counter(event.type for event in seen)
    assert said["response.output_item.added"] == said["response.output_item.done"] == len(answer["output"])
    deltas = [event for event in seen if event.type == "response.output_text.delta"]
    # The client adds the deltas up itself.
    ends = {(event.output_index, event.content_index): event.snapshot for event in deltas}
    parts = [part for item in answer["output"] for part in item.get("content") or () if part["type"] == "output_text"]
    assert list(ends.values()) == [part["text"] for part in parts]


@pytest.mark.parametrize("name", TOLD)
def test_the_official_client_iterates_over_the_replay(name: str) -> None:
    answer = WHOLE[name]
    with client(replay(answer)) as sdk:
        seen = list(sdk.responses.create(model="m", input="hi", stream=True))
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    first, last = seen[0], seen[-1]
    assert (first.type, last.type) == ("response.created", TERMINAL[answer["status"]])
    assert first.response.status == "in_progress"
    assert first.response.output == []
    assert plain(last.response) == answer


# ---------------------------------------------------------------- the shape of the stream


def test_the_response_begins_without_what_comes_later() -> None:
    answer = whole(message(), usage={"input_tokens": 1}, completed_at=9, model="m", x_new=[1])
    first, second, *_, last = events(answer)
    begun = answer | {"status": "in_progress", "output": [], "usage": None, "completed_at": None}
    assert first == {"type": "response.created", "sequence_number": 0, "response": begun}
    assert second == {"type": "response.in_progress", "sequence_number": 1, "response": begun}
    assert last["type"] == "response.completed"
    assert last["response"] == answer


def test_an_incomplete_answer_ends_as_such() -> None:
    answer = whole(message(), status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    del answer["usage"]
    first, *_, last = events(answer)
    assert first["response"]["usage"] is None
    assert first["response"]["incomplete_details"] is None
    assert (last["type"], last["response"]) == ("response.incomplete", answer)


def test_a_message() -> None:
    annotations = [{"type": "url_citation", "url": "u"}, {"type": "file_path"}]
    said = text(annotations=annotations, logprobs=[])
    item = message(said, {"type": "refusal", "refusal": "No way."})
    seen = told(whole(item))
    kinds = [kind for kind, _ in seen]
    assert list(dict.fromkeys(kinds)) == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "refusal.delta",
        "refusal.done",
        "output_item.done",
    ]
    assert seen[0][1] == {"output_index": 0, "item": item | {"status": "in_progress", "content": []}}
    at = {"output_index": 0, "content_index": 0}
    assert seen[1][1] == at | {"part": said | {"text": "", "annotations": [], "logprobs": []}}
    deltas = [members for kind, members in seen if kind == "output_text.delta"]
    assert 2 <= len(deltas) <= PIECES
    assert "".join(members["delta"] for members in deltas) == said["text"]
    assert all(members == at | {"delta": members["delta"], "logprobs": []} for members in deltas)
    cited = [members for kind, members in seen if kind == "output_text.annotation.added"]
    assert cited == [at | {"annotation_index": n, "annotation": a} for n, a in enumerate(annotations)]
    refused = [members for kind, members in seen if kind.startswith("refusal")]
    assert "".join(members["delta"] for members in refused[:-1]) == "No way."
    assert refused[-1] == {"output_index": 0, "content_index": 1, "refusal": "No way."}
    assert seen[-1][1] == {"output_index": 0, "item": item}


def test_every_event_about_an_item_names_it() -> None:
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    inner = [event for event in events(whole(message(), call)) if "item_id" in event]
    assert {(event["output_index"], event["item_id"]) for event in inner} == {(0, "msg_1"), (1, "fc_1")}
    nameless = [event for event in events(whole(call | {"id": None})) if "item_id" in event]
    assert {event["item_id"] for event in nameless} == {""}


def test_a_text_with_log_probabilities_is_cut_at_tokens() -> None:
    tokens = [{"token": token, "logprob": -1.0} for token in ("Hello", " there", ",", " world", "!")]
    seen = told(whole(message(text(logprobs=tokens))))
    deltas = [members for kind, members in seen if kind == "output_text.delta"]
    assert [members["delta"] for members in deltas] == [token["token"] for token in tokens]
    assert [members["logprobs"] for members in deltas] == [[token] for token in tokens]
    assert [members["logprobs"] for kind, members in seen if kind == "output_text.done"] == [tokens]


@pytest.mark.parametrize("tokens", [[{"token": "\\xf0"}, {"token": "\\x9f"}], [{"token": "Hello"}, None], [7]])
def test_tokens_that_do_not_make_up_the_text_go_with_its_first_piece(tokens: list[Any]) -> None:
    seen = told(whole(message(text(logprobs=tokens))))
    deltas = [members for kind, members in seen if kind == "output_text.delta"]
    assert [members["logprobs"] for members in deltas] == [tokens] + [[]] * (len(deltas) - 1)


@pytest.mark.parametrize(
    ("item", "name", "event"),
    [
        ({"type": "function_call", "arguments": '{"city":"Bilbao"}'}, "arguments", "function_call_arguments"),
        ({"type": "custom_tool_call", "input": "select 1; -- {"}, "input", "custom_tool_call_input"),
    ],
)
def test_a_call_grows_from_nothing(item: dict[str, Any], name: str, event: str) -> None:
    item = {"id": "fc_1", "call_id": "call_1", "name": "f", "status": "completed", **item}
    added, *deltas, ended, done = told(whole(item))
    assert added == ("output_item.added", {"output_index": 0, "item": item | {"status": "in_progress", name: ""}})
    assert {kind for kind, _ in deltas} == {f"{event}.delta"}
    assert len(deltas) >= 2
    assert "".join(members["delta"] for _, members in deltas) == item[name]
    assert ended == (f"{event}.done", {"output_index": 0, name: item[name]})
    assert done == ("output_item.done", {"output_index": 0, "item": item})


def test_reasoning_shows_its_summary_then_its_text_and_keeps_its_cipher_for_the_end() -> None:
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "One thing."}, {"type": "summary_text", "text": "Another."}],
        "content": [{"type": "reasoning_text", "text": "Hm, well."}],
        "encrypted_content": "gAAAA",
    }
    seen = told(whole(item))
    assert seen[0][1]["item"] == item | {"summary": [], "content": [], "encrypted_content": None}
    summary = [(kind, members) for kind, members in seen if "summary" in kind]
    assert [members["summary_index"] for _, members in summary] == sorted(m["summary_index"] for _, m in summary)
    for place, part in enumerate(item["summary"]):
        own = [(kind, members) for kind, members in summary if members["summary_index"] == place]
        at = {"output_index": 0, "summary_index": place}
        assert own[0] == ("reasoning_summary_part.added", at | {"part": part | {"text": ""}})
        assert "".join(members["delta"] for _, members in own[1:-2]) == part["text"]
        assert own[-2:] == [
            ("reasoning_summary_text.done", at | {"text": part["text"]}),
            ("reasoning_summary_part.done", at | {"part": part}),
        ]
    shown = [members for kind, members in seen if kind.startswith("reasoning_text")]
    assert "".join(members["delta"] for members in shown[:-1]) == "Hm, well."
    assert shown[-1] == {"output_index": 0, "content_index": 0, "text": "Hm, well."}
    assert seen[-1] == ("output_item.done", {"output_index": 0, "item": item})


@pytest.mark.parametrize(
    "item",
    [
        {"type": "hologram", "id": "h", "status": "completed", "text": "abc"},
        {"type": None},
        {},
        message(content="all in one"),
        message(content=[None]),
        message(content=None),
        {"type": "reasoning", "summary": "short"},
        {"type": "function_call", "arguments": {"a": 1}, "status": "completed"},
    ],
)
def test_an_item_of_no_known_form_comes_in_one_piece(item: dict[str, Any]) -> None:
    (first, added), (second, done) = told(whole(item))
    assert (first, second) == ("output_item.added", "output_item.done")
    assert done == {"output_index": 0, "item": item}
    assert {k: v for k, v in added["item"].items() if k != "status"} == {k: v for k, v in item.items() if k != "status"}


@pytest.mark.parametrize(
    "part", [{"type": "output_scent", "": "rose"}, {"type": "output_text", "text": 7}, {"type": []}]
)
def test_a_part_of_no_known_form_comes_in_one_piece(part: dict[str, Any]) -> None:
    at = {"output_index": 0, "content_index": 0, "part": part}
    assert told(whole(message(part)))[1:-1] == [("content_part.added", at), ("content_part.done", at)]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        whole(message(), status="failed"),
        whole(message(), status="in_progress"),
        whole(message(), status="queued"),
        whole(message(), status=None),
        whole(message(), status=["completed"]),
        whole(message(), error={"code": "x", "message": "no"}),
        whole(message(), object="chat.completion"),
        whole(output=None),
        whole(output={"0": message()}),
        whole("Hello"),
        whole(message(), message()),
        whole(*[{"type": "function_call", "id": name, "call_id": "c", "arguments": "{}"} for name in ("a", "b")]),
        whole(message(text(text="\ud800"))),
    ],
)
def test_what_is_no_answer_is_not_told_again(answer: dict[str, Any]) -> None:
    with pytest.raises(Unfoldable):
        unfold(answer, usage=True)


def test_calls_that_differ_in_their_call_are_told_apart() -> None:
    calls = [{"type": "function_call", "call_id": name, "arguments": "{}"} for name in ("a", "b")]
    assert fold(unfold(whole(*calls), usage=True))["output"] == calls
