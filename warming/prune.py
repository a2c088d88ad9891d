"""The layer that prunes: hooks propose, the engine decides, and what was decided stays.

It stands around one upstream, behind routing and translation, in front of the warming, so that a warm call warms what
its followers will send. Nothing that it does fails a request: where anything does not fit, the request goes on as it
came.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import msgspec

from adapters.transcript import APIS, Kind, Piece, Sizes, Transcript, shape, transcript_of
from adapters.transcript_edit import Unfit, edited, replaced
from adapters.vocabulary import Call, Handler, Reply, Trace, Warming
from warming.frozen import Frozen, Standing, standing
from warming.hook_runner import Guard
from warming.hooks import Options
from warming.pruning import Decision, Proposal, Terms, Warmth, context_of, decide, merged, prepared, warm_end

log = logging.getLogger("warmgate.warming")

_decode = msgspec.json.Decoder().decode


class Inconsistent(ValueError):
    """An edited body does not read as it should."""


class _State(NamedTuple):
    """A conversation with the edits of earlier turns."""

    original: Transcript
    stands: Mapping[int, Standing]
    """Edits of earlier turns, by piece."""
    texts: Mapping[int, str]
    """The same, as texts."""
    now: Transcript
    """The conversation with these."""
    call: Call


class Prune:
    """`warmth` is asked for the call as it stands with all edits of earlier turns made: what the provider last got.
    `terms` says what the model makes of edits. `salt` (the upstream) keeps conversations apart, as tenants do."""

    def __init__(
        self,
        inner: Handler,
        guard: Guard,
        frozen: Frozen,
        *,
        mode: Literal["observe", "on"],
        options: Options,
        warmth: Callable[[Call], Warmth | None],
        terms: Callable[[Call], Terms],
        salt: bytes,
    ) -> None:
        self.inner, self.guard, self.frozen = inner, guard, frozen
        self.mode, self.options, self.warmth, self.terms, self.salt = mode, options, warmth, terms, salt
        self._sizes = Sizes()

    async def __call__(self, call: Call) -> Reply:
        return await self.inner(await self.pruned(call))

    async def pruned(self, call: Call) -> Call:
        """The call as it is to be sent."""
        if call.dialect is None or not isinstance(call.body, bytes):
            return call
        counts = self.guard.counts
        try:
            asked = await self._pruned(call, call.body)
        except (Unfit, Inconsistent, UnicodeError, msgspec.MsgspecError, RecursionError) as error:
            counts.inconsistent += 1
            if counts.inconsistent & (counts.inconsistent - 1) == 0:
                log.warning("a request was not pruned: %s (%d so far)", type(error).__name__, counts.inconsistent)
            return call
        return call if asked is None else asked

    async def _pruned(self, call: Call, raw: bytes) -> Call | None:
        assert call.dialect is not None
        salt = b"%d:" % len(self.salt) + self.salt + call.tenant.encode("utf-8", "surrogatepass")
        transcript = transcript_of(call.parsed, call.dialect.name, salt, self._sizes)
        if transcript is None:
            return None
        self.guard.counts.requests += 1
        state = await self._stood(call, raw, transcript)
        terms, siblings = self.terms(call), call.fanout.n if call.fanout else 1
        warmth = self.warmth(state.call)
        context = context_of(state.now, warmth, terms, self.options, siblings)
        ready = prepared(state.now, context)
        proposals = merged(ready, await self.guard(ready, context))
        decision = decide(proposals, *warm_end(state.now, warmth), terms, self.options.turns, siblings)
        if self.mode != "on" or (terms.binds_thinking and not self.frozen.durable):
            # Thoughts would be refused if the edits in front of them were forgotten.
            decision = Decision((), tuple(proposals))
        return self._made(call, raw, state, decision)

    async def _stood(self, call: Call, raw: bytes, transcript: Transcript) -> _State:
        """The conversation with the edits of earlier turns."""
        stands = await self._stands(transcript) if self.mode == "on" else {}
        texts: dict[int, str] = {}
        for index, each in stands.items():
            text = each.text(transcript.pieces[index].text)
            if text is not None:
                texts[index] = text
        if not texts:
            return _State(transcript, {}, {}, transcript, call)
        now = _with(transcript, texts, {index: stands[index].tokens for index in texts})
        return _State(transcript, stands, texts, now, _sent(call, raw, transcript, texts))

    async def _stands(self, transcript: Transcript) -> dict[int, Standing]:
        firsts = _firsts(transcript)
        open_ = {transcript.digests[piece.message]: None for piece in transcript.pieces if not piece.locked}
        found = await self.frozen.find(list(open_))
        known = set(transcript.digests)
        stands = {}
        for message, digest in enumerate(transcript.digests):
            for each in found.get(digest, ()):
                index = firsts.get(message, len(transcript.pieces)) + each.place
                fits = index < len(transcript.pieces) and transcript.pieces[index].message == message
                if fits and not transcript.pieces[index].locked and (not each.because or each.because in known):
                    stands[index] = each
        return stands

    def _made(self, call: Call, raw: bytes, state: _State, decision: Decision) -> Call | None:
        new = self._kept(state, decision.now)
        if new:
            texts = {**state.texts, **{each.edit.piece: each.edit.text for each in new}}
            asked = _sent(call, raw, state.original, texts)
            self._freeze(state, new)
        elif state.texts:
            asked = state.call
        else:
            self._note(call.trace, 0, sum(each.removed for each in decision.later))
            return None
        assert isinstance(asked.body, bytes)
        before = sum(piece.tokens for piece in state.original.pieces)
        after = sum(piece.tokens for piece in state.now.pieces) - sum(each.removed for each in new)
        call.trace.modified_bytes += abs(len(raw) - len(asked.body))
        self._note(call.trace, max(0, before - after), sum(each.removed for each in decision.later))
        self.guard.counts.changed += 1
        for each in new:
            counts = self.guard.counts.hooks[each.why]
            counts.applied += 1
            counts.removed += each.removed
        return asked

    def _kept(self, state: _State, now: Iterable[Proposal]) -> list[Proposal]:
        """Those that can be remembered: an edit that is not made again next time would break the cache each time."""
        by_message: dict[int, list[Proposal]] = {}
        for each in now:
            by_message.setdefault(each.message, []).append(each)
        return [
            each
            for message, some in by_message.items()
            if self.frozen.fits(self._rows(state, message, some))
            for each in some
        ]

    def _freeze(self, state: _State, new: Sequence[Proposal]) -> None:
        messages = {each.message for each in new}
        self.frozen.put(
            {
                state.original.digests[message]: self._rows(
                    state, message, [each for each in new if each.message == message]
                )
                for message in messages
            }
        )

    def _rows(self, state: _State, message: int, new: Sequence[Proposal]) -> list[Standing]:
        """All edits of one message, those of earlier turns too: they are remembered together."""
        pieces = state.original.pieces
        rows = {each.place: each for index, each in state.stands.items() if pieces[index].message == message}
        for each in new:
            original = pieces[each.edit.piece].text
            rows[each.place] = standing(each.place, original, each.edit.text, each.after, each.because)
        return list(rows.values())

    def _note(self, trace: Trace, pruned: int, proposed: int) -> None:
        if trace.warming is None:
            trace.warming = Warming()
        trace.warming.pruned, trace.warming.proposed = pruned, proposed


def _firsts(transcript: Transcript) -> dict[int, int]:
    """The first piece of each message."""
    firsts: dict[int, int] = {}
    for index, piece in enumerate(transcript.pieces):
        firsts.setdefault(piece.message, index)
    return firsts


def _with(transcript: Transcript, texts: Mapping[int, str], tokens: Mapping[int, int]) -> Transcript:
    now = replaced(transcript, texts)
    pieces = list(now.pieces)
    for index, count in tokens.items():
        pieces[index] = pieces[index]._replace(tokens=count)
    return now._replace(pieces=tuple(pieces))


def _sent(call: Call, raw: bytes, transcript: Transcript, texts: Mapping[int, str]) -> Call:
    """The call with these edits; raises `Unfit` or `Inconsistent`."""
    body = edited(raw, transcript, texts)
    parsed: Any = _decode(body)
    if not isinstance(parsed, dict):
        raise Inconsistent("an edited body is no object")
    messages = parsed.get(APIS[transcript.api][0])
    if len(messages if isinstance(messages, list) else [messages]) != len(transcript.digests):
        raise Inconsistent("an edited body has another number of messages")
    by_message: dict[int, list[tuple[int, Piece]]] = {transcript.pieces[index].message: [] for index in texts}
    for index, piece in enumerate(transcript.pieces):
        if piece.message in by_message:
            by_message[piece.message].append((index, piece))
    for number, pieces in by_message.items():
        message = messages[number] if isinstance(messages, list) else messages
        if shape(message, transcript.api) != _shape(pieces, texts):
            raise Inconsistent("an edited body does not read as it should")
    return replace(call, body=body, parsed=parsed, digests={}, key=b"")


def _shape(pieces: Sequence[tuple[int, Piece]], texts: Mapping[int, str]) -> list[tuple[Kind, str, str]]:
    """Of one message with its edits, as it should be."""
    return [
        ("text" if index in texts and piece.kind == "image" else piece.kind, piece.role, piece.call_id)
        for index, piece in pieces
        # An image that becomes a text is no piece of its own any more where it is in a result.
        if not (index in texts and piece.kind == "image" and piece.role == "tool")
    ]
