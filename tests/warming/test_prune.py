"""The layer: whole requests in, whole requests out, turn by turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_embeddings import OPENAI_EMBEDDINGS
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.transcript import Edit, Transcript, transcript_of
from adapters.vocabulary import Call, Fanout, Reply, Warming
from tests.adapters import talks
from tests.adapters.talks import Step, read, shell, talk
from tests.fakes import Clock
from warming.frozen import Frozen
from warming.hook_runner import Counts, Guard
from warming.hooks import BUILT_IN, Context, Hook, Options, load
from warming.prune import Prune
from warming.pruning import Terms, Warmth
from warming.prunings import PRUNED

T = TypeVar("T")

DIALECTS = {each.name: each for each in (OPENAI_CHAT, ANTHROPIC_MESSAGES, OPENAI_RESPONSES, OPENAI_EMBEDDINGS)}
PAID = Terms(0.1, 1.25)
LONG = "a line of text\n" * 300
HUGE = "0123456789\n" * 6000

OPENING: list[Step] = [("system", "be brief"), ("user", "go")]
TALK: list[Step] = [
    *OPENING,
    *read("a", "/f", LONG),
    *read("b", "/f", LONG + "more"),
    *shell("c", "make", "error " + LONG, failed=True),
    *shell("d", "make", "ok"),
    ("user", "and now?"),
]


async def at_once(function: Callable[[], T], seconds: float, /) -> T:
    return function()


def call_of(body: Any, api: str, **more: Any) -> Call:
    raw = body if isinstance(body, bytes) else json.dumps(body, indent=1).encode()
    return Call("POST", "/x", CIMultiDict(), raw, DIALECTS[api], json.loads(raw), **more)


class Upstream:
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Call] = []

    async def __call__(self, call: Call) -> Reply:
        self.asked.append(call)
        return Reply.whole(200, (), b"{}", source="upstream")


class World:
    """One proxy in front of one upstream."""

    def __init__(
        self,
        hooks: Sequence[tuple[str, Hook]] | None = None,
        *,
        mode: Any = "on",
        frozen: Frozen | None = None,
        terms: Terms = PAID,
        runner: Any = at_once,
        salt: bytes = b"upstream",
        **options: Any,
    ) -> None:
        self.inner, self.counts = Upstream(), Counts()
        self.frozen = frozen or Frozen(None, Clock())
        self.warmth: Warmth | None = Warmth(0, 0)
        self.looked_at: list[Call] = []
        guard = Guard(load(BUILT_IN) if hooks is None else hooks, runner, 1.0, self.counts)
        self.layer = Prune(
            self.inner,
            guard,
            self.frozen,
            mode=mode,
            options=Options(**options),
            warmth=self._warmth,
            terms=lambda _: terms,
            salt=salt,
        )

    def _warmth(self, call: Call) -> Warmth | None:
        self.looked_at.append(call)
        return self.warmth

    async def send(self, steps: Sequence[Step], api: str = "openai-chat", **more: Any) -> Call:
        """What the upstream got."""
        call = call_of(talk(api, steps), api, **more)
        await self.layer(call)
        asked = self.inner.asked[-1]
        assert asked.parsed == json.loads(asked.body)  # type: ignore[arg-type]
        assert (asked is call) == (asked.body == call.body)
        assert asked.trace is call.trace
        return asked


def texts(call: Call) -> list[str]:
    """Texts of the results."""
    assert call.dialect is not None
    transcript = transcript_of(call.parsed, call.dialect.name)
    assert transcript is not None
    return [piece.text for piece in transcript.pieces if piece.kind == "result"]


def pruned(call: Call) -> list[bool]:
    return [PRUNED in text for text in texts(call)]


def warming(call: Call) -> Warming:
    assert call.trace.warming is not None
    return call.trace.warming


# Nothing to do


@pytest.mark.parametrize("api", talks.APIS)
async def test_what_no_hook_changes_goes_on_as_the_very_same_call(api: str) -> None:
    world = World()
    call = call_of(talk(api, OPENING), api)
    await world.layer(call)
    assert world.inner.asked == [call]
    assert world.inner.asked[0] is call
    assert (call.trace.modified_bytes, warming(call).pruned, warming(call).proposed) == (0, 0, 0)
    assert (world.counts.requests, world.counts.changed) == (1, 0)


async def test_what_is_no_conversation_is_passed_on() -> None:
    world = World()
    calls = [
        call_of({"model": "m", "input": "x"}, "openai-embeddings"),
        call_of({"model": "m", "input": [], "previous_response_id": "r"}, "openai-responses"),
        Call("GET", "/models", CIMultiDict(), b""),
    ]
    for call in calls:
        await world.layer(call)
    assert all(asked is call for asked, call in zip(world.inner.asked, calls, strict=True))
    assert world.counts.requests == 0
    assert calls[0].trace.warming is None


# Cold, warm, and new


@pytest.mark.parametrize("api", talks.APIS)
async def test_everything_that_waits_is_made_at_once_when_the_cache_is_cold(api: str) -> None:
    world = World()
    asked = await world.send(TALK, api)
    assert pruned(asked) == [True, False, True, False]
    assert warming(asked).pruned > 1500
    assert warming(asked).proposed == 0
    assert asked.trace.modified_bytes == len(json.dumps(talk(api, TALK), indent=1)) - len(asked.body)  # type: ignore[arg-type]
    assert world.counts.hooks["superseded_files"].applied == 1
    assert world.counts.hooks["resolved_errors"].applied == 1
    assert sum(each.removed for each in world.counts.hooks.values()) == warming(asked).pruned


async def test_a_warm_prefix_is_not_touched_for_less_than_it_costs() -> None:
    world = World()
    behind = [*TALK[:-1], *shell("e", "cat", "y" * 40_000), ("user", "and now?")]
    world.warmth = Warmth(12, 100_000)
    asked = await world.send(behind)
    assert pruned(asked) == [False] * 5
    assert (warming(asked).pruned, warming(asked).proposed > 1500) == (0, True)
    # Half the price for reading, and many turns to come: it pays.
    world = World(terms=Terms(0.5, 1.0), turns=1000)
    world.warmth = Warmth(12, 100_000)
    assert pruned(await world.send(behind)) == [True, False, True, False, False]
    # So it does with many siblings.
    world = World(turns=10)
    world.warmth = Warmth(12, 100_000)
    assert pruned(await world.send(behind, fanout=Fanout("g", 64))) == [True, False, True, False, False]


async def test_what_was_never_sent_is_pruned_behind_a_warm_prefix() -> None:
    world = World(terms=Terms())
    steps = [*TALK, *read("e", "/f", LONG), *read("g", "/g", HUGE)]
    world.warmth = Warmth(len(TALK), 100_000)
    asked = await world.send(steps)
    # The first read of /f was sent; the last one reads like it and is new.
    assert pruned(asked) == [False, False, False, False, True, True]
    assert texts(asked)[4] == f"{PRUNED}the same as the result of call a]"
    raw = json.dumps(talk("openai-chat", steps), indent=1).encode()
    same = raw.index(b'"tool_call_id": "e"')
    assert asked.body[:same] == raw[:same]  # type: ignore[index]


async def test_without_any_belief_only_what_no_answer_followed_is_pruned() -> None:
    world = World(terms=Terms())
    world.warmth = None
    assert pruned(await world.send([*TALK, *shell("e", "cat", HUGE)])) == [False, False, False, False, True]


@pytest.mark.parametrize("terms", [PAID, Terms(0.025, 1.25)])
async def test_the_newest_and_the_first_message_of_the_user_and_the_system_prompt_stay(terms: Terms) -> None:
    def everything(transcript: Transcript, _: Context) -> list[Edit]:
        return [Edit(index, "[x]") for index, piece in enumerate(transcript.pieces) if not piece.locked]

    for api in talks.APIS:
        world = World([("all", everything)], terms=terms)
        asked = await world.send([*OPENING, ("say", LONG), ("user", LONG), ("say", LONG), ("user", LONG)], api)
        made = transcript_of(asked.parsed, api)
        assert made is not None
        assert [piece.text == "[x]" for piece in made.pieces if piece.role != "system"] == [
            False,
            False,
            True,
            False,
            False,
        ]
        assert asked.parsed.get("system") == talk(api, OPENING).get("system")


# What was decided stays


@pytest.mark.parametrize("api", talks.APIS)
async def test_the_same_bytes_on_every_later_turn_also_behind_a_restart(api: str, tmp_path: Path) -> None:
    frozen = Frozen(tmp_path / "f.db", Clock())
    await frozen.open()
    first = await World(frozen=frozen).send(TALK, api)
    await frozen.close()
    assert any(pruned(first))

    frozen = Frozen(tmp_path / "f.db", Clock())
    await frozen.open()
    world = World(frozen=frozen)
    world.warmth = Warmth(len(TALK), 10_000)
    longer = [*TALK, ("say", "fine"), ("user", "go on")]
    second = await world.send(longer, api)
    await frozen.close()
    shared = _prefix(first, len(first.parsed[_member(api)]))
    assert _prefix(second, len(first.parsed[_member(api)])) == shared
    assert warming(second).pruned == warming(first).pruned
    assert world.counts.hooks["superseded_files"].applied == 0
    # The belief was asked for what the provider gets, not for what the client sent.
    assert world.looked_at[0].body == second.body


def _member(api: str) -> str:
    return "input" if api == "openai-responses" else "messages"


def _prefix(call: Call, messages: int) -> str:
    return json.dumps(call.parsed[_member(call.dialect.name)][:messages])  # type: ignore[union-attr]


async def test_an_edit_that_was_made_is_made_again_though_the_cache_is_warm_and_hooks_are_gone() -> None:
    world = World()
    first = await world.send(TALK)
    later = World([], frozen=world.frozen)
    later.warmth = Warmth(len(TALK), 10_000)
    assert texts(await later.send(TALK)) == texts(first)


async def test_marks_that_a_client_moves_do_not_lose_an_edit() -> None:
    world = World()
    first = await world.send(TALK, "anthropic-messages")
    body = talk("anthropic-messages", TALK)
    body["messages"][2]["content"][0]["cache_control"] = {"type": "ephemeral"}
    call = call_of(body, "anthropic-messages")
    world.warmth = Warmth(99, 10_000)
    await world.layer(call)
    assert texts(world.inner.asked[-1]) == texts(first)
    assert world.inner.asked[-1].parsed["messages"][2]["content"][0]["cache_control"] == {"type": "ephemeral"}


async def test_another_upstream_tenant_or_beginning_has_edits_of_its_own() -> None:
    world = World()
    await world.send(TALK)
    warm = Warmth(99, 10_000)
    for other, more, steps in (
        (World([], frozen=world.frozen, salt=b"other"), {}, TALK),
        (World([], frozen=world.frozen), {"tenant": "other"}, TALK),
        (World([], frozen=world.frozen), {}, [TALK[0], ("user", "stop"), *TALK[2:]]),
    ):
        other.warmth = warm
        assert not any(pruned(await other.send(steps, **more)))


async def test_a_branch_without_the_reason_for_an_edit_does_not_get_it() -> None:
    world = World()
    await world.send(TALK)
    world.warmth = Warmth(99, 10_000)
    # Back to where the file was read once: nothing supersedes it there.
    assert pruned(await world.send([*TALK[:4], ("say", "x"), ("user", "another way")])) == [False]
    # Behind the second reading, in front of the error: the one edit and not the other.
    assert pruned(await world.send([*TALK[:6], ("say", "x"), ("user", "another way")])) == [True, False]


async def test_a_cut_result_is_shortened_further_once_it_is_old() -> None:
    world = World(keep_results=1)
    steps = [*OPENING, *shell("a", "cat", HUGE)]
    first = await world.send(steps)
    assert 45_000 < len(texts(first)[0]) <= 50_000
    world.warmth = Warmth(len(steps), 50_000)
    more = [*steps, *shell("b", "ls", "x"), ("say", "y"), ("user", "z")]
    world.warmth = Warmth(len(more), 0)
    second = await world.send(more)
    assert len(texts(second)[0]) < 500
    world.warmth = Warmth(len(more), 10_000)
    assert texts(await world.send(more)) == texts(second)
    assert warming(second).pruned > warming(first).pruned


async def test_a_pointer_keeps_what_it_points_to() -> None:
    world = World(keep_results=2)
    steps = [
        *OPENING,
        *read("a", "/f", LONG),
        *shell("x", "ls", "1"),
        *shell("y", "ls -l", "2"),
        *read("b", "/f", LONG),
    ]
    world.warmth = Warmth(len(steps) - 2, 10_000)
    assert pruned(await world.send(steps)) == [False, False, False, True]
    world.warmth = Warmth(len(steps), 0)
    longer = [*steps, ("say", "x"), ("user", "y")]
    assert pruned(await world.send(longer)) == [False, False, False, True]
    # Once the pointer is old itself, its text may go.
    longer += [*shell("p", "1", "p"), *shell("q", "2", "q"), ("user", "z")]
    world.warmth = Warmth(len(longer), 0)
    assert pruned(await world.send(longer)) == [True, False, False, True, False, False]


# Thoughts


async def test_bound_thoughts_keep_all_in_front_of_them_and_edits_need_a_file(tmp_path: Path) -> None:
    steps = [*TALK[:-1], ("think", "hm"), *shell("e", "cat", HUGE), ("user", "v")]
    bound = Terms(0.1, 1.25, True)
    forgetful = World(terms=bound)
    assert not any(pruned(await forgetful.send(steps, "anthropic-messages")))
    frozen = Frozen(tmp_path / "f.db", Clock())
    await frozen.open()
    world = World(terms=bound, frozen=frozen)
    asked = await world.send(steps, "anthropic-messages")
    assert pruned(asked) == [False, False, False, False, True]
    # A thought that comes behind that edit was thought with it: it stays.
    longer = [*steps, ("think", "hm again"), ("user", "w")]
    world.warmth = Warmth(len(longer), 10_000)
    assert texts(await world.send(longer, "anthropic-messages")) == texts(asked)
    await frozen.close()


# Observing


@pytest.mark.parametrize("api", talks.APIS)
async def test_observing_changes_no_byte_and_keeps_nothing(api: str) -> None:
    world = World(mode="observe")
    for _ in range(2):
        call = call_of(talk(api, TALK), api)
        await world.layer(call)
        assert world.inner.asked[-1] is call
        assert (warming(call).pruned, call.trace.modified_bytes) == (0, 0)
        assert warming(call).proposed > 1500
    assert world.counts.hooks["superseded_files"].proposed == 2
    assert world.counts.hooks["superseded_files"].applied == 0
    assert world.frozen.stats()["messages"] == 0
    on = World(frozen=world.frozen)
    assert warming(await on.send(TALK, api)).pruned == warming(call).proposed


# Nothing fails a request


async def test_what_is_wrong_with_hooks_is_theirs(caplog: pytest.LogCaptureFixture) -> None:
    def raises(*_: object) -> list[Edit]:
        raise KeyError("x")

    async def slow(function: Callable[[], T], seconds: float, /) -> T:
        raise TimeoutError

    hooks: list[tuple[str, Hook]] = [("raises", raises), ("nonsense", lambda *_: [Edit(0, "x")])]
    for world in (World(hooks), World(runner=slow)):
        asked = await world.send(TALK)
        assert not any(pruned(asked))
        assert any((each.raised, each.nonsense, each.slow) != (0, 0, 0) for each in world.counts.hooks.values())


async def test_a_body_that_its_parsed_form_does_not_match_goes_on_untouched(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    parsed = talk("openai-chat", TALK)
    for raw in (b"{}", b'{"messages": []}', json.dumps(talk("openai-chat", [*TALK, *TALK])).encode()):
        call = Call("POST", "/x", CIMultiDict(), raw, OPENAI_CHAT, parsed)
        await world.layer(call)
        assert world.inner.asked[-1] is call
    assert world.counts.inconsistent == 3
    assert len([record for record in caplog.records if "not pruned" in record.getMessage()]) == 2


async def test_a_text_that_cannot_be_sent_leaves_the_request_alone() -> None:
    hooks: list[tuple[str, Hook]] = [("h", lambda *_: [Edit(3, "\ud800")])]
    world = World(hooks)
    call = call_of(talk("openai-chat", TALK), "openai-chat")
    await world.layer(call)
    assert world.inner.asked[-1] is call


async def test_an_edit_too_large_to_be_kept_is_not_made() -> None:
    long = "x y " * 200_000
    hooks: list[tuple[str, Hook]] = [("h", lambda *_: [Edit(3, "z " * 100_000)])]
    world = World(hooks)
    asked = await world.send([*OPENING, *shell("a", "x", long), *shell("b", "y", "z")])
    assert texts(asked)[0] == long


NAMES = st.sampled_from(
    ["role", "content", "type", "text", "tool_calls", "function", "arguments", "id", "path", "name"]
)
VALUES = st.recursive(
    st.none() | st.integers(-3, 3) | st.text(max_size=4) | st.sampled_from(["user", "assistant", "tool", LONG]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(talks.APIS), st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=5))
async def test_any_conversation_passes(api: str, messages: list[Any]) -> None:
    world = World(keep_results=0, stale_over=0, keep_images=0, oversized=10)
    call = call_of({"model": "m", _member(api): messages}, api)
    await world.layer(call)
    assert len(world.inner.asked) == 1
    assert world.counts.inconsistent == 0


# A whole conversation, with the bill counted by hand


@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from(talks.APIS))
async def test_over_a_conversation_nothing_sent_changes_while_it_is_warm(data: st.DataObject, api: str) -> None:
    """Turn by turn with a provider that keeps everything: without a paying price no message that was sent is ever sent
    otherwise, every result keeps its call, and each turn sends what the one before it did."""
    world = World(terms=Terms(), keep_results=2, stale_over=300, oversized=1000, keep_images=1)
    steps: list[Step] = list(OPENING)
    sent: list[Any] = []
    for turn in range(data.draw(st.integers(2, 5))):
        count = data.draw(st.integers(1, 3))
        paths = [data.draw(st.sampled_from(["/f", "/g"])) for _ in range(count)]
        size = data.draw(st.sampled_from([1, 40, 400]))
        for place, path in enumerate(paths):
            steps += read(f"t{turn}_{place}", path, "some words " * size, failed=data.draw(st.booleans()))
        asked = await world.send(steps, api)
        now = asked.parsed[_member(api)]
        assert now[: len(sent)] == sent
        sent = now
        before = transcript_of(talk(api, steps), api)
        after = transcript_of(asked.parsed, api)
        assert before is not None
        assert after is not None
        assert [(p.kind, p.call_id, p.role) for p in after.pieces] == [
            (p.kind, p.call_id, p.role) for p in before.pieces
        ]
        world.warmth = Warmth(len(now), 10**6)
