"""When a proposed edit is made: where it costs nothing, or where it pays. Pure.

An edit in front of what the provider has in its prompt cache makes it read everything behind the edit anew, for the
price of a write. So there are three cases. What was never sent, or lies behind all that is still cached, is edited at
once: free. What was edited before stays edited, with the same bytes (`warming.frozen`). Everything else waits until the
cache is cold, or until what is saved in the turns to come is more than the rewriting costs; then edits that wait are
made together, for one rewriting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from math import inf
from typing import Any, NamedTuple

from adapters.prices import Prices
from adapters.profiles import multipliers, profile_of
from adapters.transcript import Edit, Piece, Sizes, Transcript, transcript_of
from adapters.transcript_edit import Unfit, shown
from warming.economics import Rates
from warming.hooks import Context, Hook, Options, safely
from warming.prune_economics import turns_needed
from warming.prunings import POINTER

MARGIN = 1.25
"""A rewriting must pay for itself in the expected turns divided by this: their number is a guess, and what was dropped
may have to be fetched again."""

SLACK = 1.25
"""How much further than believed a cache may reach: its tokens are the provider's count, positions here an estimate."""


class Warmth(NamedTuple):
    """What is believed of the provider's prompt cache, with regard to one request."""

    sent: int
    """How many of its first messages (in the Responses API: items) the provider got before, as they are now."""
    tokens: int
    """Tokens of its beginning that are in the cache; 0: cold."""
    seconds_left: float = inf
    """Until they lapse; 0 or less: cold."""


class Terms(NamedTuple):
    """What a model makes of an edit."""

    read: float | None = None
    """Price of a cached token as a multiple of an uncached one; None where there is none."""
    write: float | None = None
    binds_thinking: bool = False


UNKNOWN = Terms()
DEFAULTS = Options()


def terms_of(prices: Prices, provider: str, model: str, life: str = "") -> Terms:
    """`life`: the one that the request's breakpoints ask for (`1h`), where they do."""
    profile, rates = profile_of(provider, model), multipliers(prices, model, provider=provider)
    if rates is None:
        return Terms(binds_thinking=profile.binds_thinking)
    lives = [each for each in profile.lives if each.name == life] or profile.lives[:1]
    write = max([getattr(rates, each.counted) for each in lives], default=rates.uncached)
    return Terms(rates.read, write, profile.binds_thinking)


class Proposal(NamedTuple):
    """One edit that a hook proposes, with what it would do to the prompt. Tokens are estimates."""

    why: str
    """The hook's name."""
    edit: Edit
    message: int
    start: int
    """Tokens of the prompt in front of what it changes."""
    before: int
    """Tokens of the piece as it is now, and as it would be."""
    after: int
    digest: bytes
    """Of the conversation up to and including the piece's message, the same in every later turn."""
    place: int
    """Which piece of its message it is; with `digest`, this names it."""
    because: bytes = b""
    """The digest at the later message without which there is no reason for the edit; empty where none is needed."""

    @property
    def removed(self) -> int:
        return self.before - self.after


class Decision(NamedTuple):
    now: tuple[Proposal, ...]
    later: tuple[Proposal, ...]


def warm_end(transcript: Transcript, warmth: Warmth | None) -> tuple[int, int]:
    """How many messages were sent before, and the tokens of the prompt up to which an edit breaks something that is in
    the cache (0: nowhere).

    Of a conversation of which nothing is known (None) all that the model has answered is taken for cached.
    """
    sent = transcript.answered if warmth is None else warmth.sent
    starts = transcript.starts()
    end = next((start for piece, start in zip(transcript.pieces, starts, strict=False) if piece.message >= sent), None)
    end = starts[-1] if end is None else end
    if warmth is None:
        return sent, end
    if warmth.tokens <= 0 or warmth.seconds_left <= 0:
        return sent, 0
    return sent, min(end, round(warmth.tokens * SLACK))


def context_of(
    transcript: Transcript, warmth: Warmth | None, terms: Terms, options: Options, siblings: int = 1
) -> Context:
    sent, end = warm_end(transcript, warmth)
    pieces = transcript.pieces
    first_new = next((index for index, piece in enumerate(pieces) if piece.message >= sent), len(pieces))
    return Context(
        first_new,
        end if warmth is None else max(0, warmth.tokens),
        inf if warmth is None else warmth.seconds_left,
        terms.read,
        terms.write,
        options.turns,
        max(1, siblings),
        terms.binds_thinking,
        options,
    )


def prepared(transcript: Transcript, context: Context) -> Transcript:
    """With everything locked that must not change here, and what was never sent told as such."""
    options = context.options
    last_thought = max((index for index, piece in enumerate(transcript.pieces) if piece.kind == "thinking"), default=-1)
    bound = last_thought if context.binds_thinking else -1
    pointed = _pointed(transcript, max(1, options.keep_results))
    pieces = []
    for index, piece in enumerate(transcript.pieces):
        locked = piece.locked
        if not locked and _protected(piece, options):
            locked = "protected"
        elif not locked and index < bound:
            locked = "thinking"
        elif not locked and piece.kind == "result" and piece.call_id in pointed:
            locked = "pointed to"
        sent = index < context.first_new
        same = locked == piece.locked and sent == piece.sent
        pieces.append(piece if same else piece._replace(locked=locked, sent=sent))
    return transcript._replace(pieces=tuple(pieces))


def _pointed(transcript: Transcript, recent: int) -> set[str]:
    """Calls whose results must stay because one of the latest results is nothing but a pointer to them."""
    texts = [piece.text for piece in transcript.pieces if piece.kind == "result"][-recent:]
    return {found[1] for text in texts if (found := POINTER.fullmatch(text)) is not None}


def _protected(piece: Piece, options: Options) -> bool:
    """A result has the tool and the paths of its call."""
    return (bool(piece.tool) and any(fnmatchcase(piece.tool, pattern) for pattern in options.protect_tools)) or any(
        fnmatchcase(path, pattern) for path in piece.paths for pattern in options.protect_paths
    )


def merged(transcript: Transcript, proposed: Iterable[tuple[str, Sequence[Edit]]]) -> list[Proposal]:
    """Proposals of several hooks in one list: of two for one piece the first, none that makes nothing shorter, and none
    of a piece that the text of another refers to."""
    taken: dict[int, Proposal] = {}
    kept: set[int] = set()
    starts = transcript.starts()
    firsts = {piece.message: index for index, piece in reversed(list(enumerate(transcript.pieces)))}
    for why, edits in proposed:
        for edit in edits:
            if edit.piece in taken or edit.piece in kept or edit.keeps in taken:
                continue
            piece = transcript.pieces[edit.piece]
            proposal = _proposal(transcript, why, edit, starts[edit.piece], edit.piece - firsts[piece.message])
            if proposal is not None:
                taken[edit.piece] = proposal
                kept |= set() if edit.keeps is None else {edit.keeps}
    return _without_images(transcript, sorted(taken.values(), key=lambda each: each.edit.piece))


def _proposal(transcript: Transcript, why: str, edit: Edit, start: int, place: int) -> Proposal | None:
    piece = transcript.pieces[edit.piece]
    try:
        after = shown(piece, edit.text).tokens
    except (Unfit, UnicodeError):
        return None
    if after >= piece.tokens:
        return None
    because = b"" if edit.because is None else transcript.digests[transcript.pieces[edit.because].message]
    digest = transcript.digests[piece.message]
    return Proposal(why, edit, piece.message, start, piece.tokens, after, digest, place, because)


def _without_images(transcript: Transcript, proposals: list[Proposal]) -> list[Proposal]:
    """Where the last image goes too, what begins with the first message is read anew, not what begins with the image:
    whether there are images counts for all messages (Anthropic's prompt caching guide, 2026-08-21, read 2026-11)."""
    images = [index for index, piece in enumerate(transcript.pieces) if piece.kind == "image"]
    if not images or not {each.edit.piece for each in proposals} >= set(images):
        return proposals
    return [
        each._replace(start=transcript.head)
        if each.edit.piece in images and transcript.pieces[each.edit.piece].sent
        else each
        for each in proposals
    ]


def decide(proposals: Sequence[Proposal], sent: int, end: int, terms: Terms, turns: int, siblings: int = 1) -> Decision:
    """Which of them are made now. `sent` and `end` as `warm_end` gives them.

    Of those that break something, the ones behind a point are made together or not at all; the point is where most is
    saved. An edit far in front, of little, does not keep those behind it from being made, nor is it made on their
    account: it would have all between it and them written anew.
    """
    free = [each for each in proposals if each.message >= sent or each.start >= end]
    rest = sorted((each for each in proposals if not (each.message >= sent or each.start >= end)), key=_start)
    chosen = _paying(rest, end, terms, turns, max(1, siblings))
    now = sorted([*free, *rest[chosen:]], key=lambda each: each.edit.piece)
    return Decision(tuple(now), tuple(rest[:chosen]))


def _start(proposal: Proposal) -> int:
    return proposal.start


def _paying(rest: Sequence[Proposal], end: int, terms: Terms, turns: int, siblings: int) -> int:
    """The place in `rest` from which on rewriting saves most; `len(rest)` where it never pays."""
    best, place = 0.0, len(rest)
    if terms.read is None or terms.write is None:
        return place
    removed = 0
    for index in reversed(range(len(rest))):
        removed += rest[index].removed
        behind = max(removed, end - rest[index].start)
        if index and rest[index - 1].start == rest[index].start:
            continue
        needed = turns_needed(behind, removed, Rates(terms.write, terms.read, 0.0), siblings=siblings)
        saved = turns * siblings * terms.read * removed - max(0.0, terms.write - terms.read) * (behind - removed)
        if needed * MARGIN <= turns and saved > best:
            best, place = saved, index
    return place


def proposals(
    body: Mapping[str, Any],
    api: str,
    hooks: Iterable[tuple[str, Hook]],
    *,
    sent: int = 0,
    terms: Terms = UNKNOWN,
    options: Options = DEFAULTS,
    salt: bytes = b"",
    sizes: Sizes | None = None,
) -> list[Proposal]:
    """What hooks propose for a recorded request that nothing was pruned from. A hook at fault proposes nothing.

    `sent`: how many of its messages were sent before. Empty where the API is not known.
    """
    found = transcript_of(body, api, salt, sizes)
    if found is None:
        return []
    context = context_of(found, Warmth(sent, 0), terms, options)
    ready = prepared(found, context)
    return merged(ready, [(name, safely(hook, ready, context).edits) for name, hook in hooks])


def standing(proposed: Iterable[Proposal], applied: Mapping[tuple[bytes, int], Proposal]) -> list[Proposal]:
    """Proposals for an unpruned conversation as they are behind edits that were made in earlier turns.

    `applied`: those, by digest and place, as far as they are of this conversation. What they took out moves what stands
    behind them; one that was made is proposed again only if it now takes out more.
    """
    earlier = sorted(applied.values(), key=_start)
    found = []
    for each in proposed:
        made = applied.get((each.digest, each.place))
        gone = sum(other.removed for other in earlier if other.start < each.start)
        before = each.before if made is None else made.after
        if each.after < before:
            found.append(each._replace(start=each.start - gone, before=before))
    return found
