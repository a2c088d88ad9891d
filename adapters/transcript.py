"""A request body as pruning hooks see it: the pieces of its conversation, the same for all three APIs.

What may be edited is: results of tools, images, texts of the user, and the arguments of calls. A piece that may not be
says why in `locked`. Tools and system prompt come before every piece and are no pieces, except where the system prompt
is a message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec

from adapters.chain import MARKS
from adapters.tokens import PER_MESSAGE, estimate_tools, estimate_value
from adapters.transcript_parts import Found, Kind, anthropic_pieces, chat_pieces, responses_pieces, tokens_of

__all__ = ["APIS", "Edit", "Kind", "Path", "Piece", "Sizes", "Transcript", "shape", "transcript_of"]

Path = tuple[str | int, ...]
"""Names and places on the way from the body to a value."""

APIS: dict[str, tuple[str, Any]] = {
    "openai-chat": ("messages", chat_pieces),
    "anthropic-messages": ("messages", anthropic_pieces),
    "openai-responses": ("input", responses_pieces),
}
"""By the dialect's name: the member that holds the conversation, and the reader of one of its messages."""

SIZES = 65_536
"""Messages whose tokens are remembered."""

SYSTEM = b"system"
"""What stands for every system message in a digest."""

_encode = msgspec.json.Encoder(order="deterministic").encode
_marks = tuple(b'"%b"' % name.encode() for name in MARKS)


class Edit(NamedTuple):
    """What a hook proposes: other text in place of one piece."""

    piece: int
    """Its index in `Transcript.pieces`."""
    text: str
    """In place of the text of a result or of a user; in place of an image, as a text; in a call, in place of each long
    argument. Must not be empty, and must depend on the conversation alone: it stays for good."""
    keeps: int | None = None
    """Index of an earlier piece that the text refers to, which must not be edited as well."""
    because: int | None = None
    """Index of the later piece that makes this one superfluous. The edit does not apply in a branch of the conversation
    that lacks it."""


class Piece(NamedTuple):
    """One part of a conversation."""

    kind: Kind
    role: str
    """`system`, `user`, `assistant`, or `tool` for a result and all that is in it, whatever the API calls it."""
    message: int
    """Index of its message (in the Responses API: its item)."""
    path: Path
    """Where the value stands that an edit replaces."""
    text: str = ""
    """Of a result, its text parts, joined by line ends; of a call, its arguments as JSON."""
    tool: str = ""
    """Name of the tool of a call or a result; empty where the call is not in the request."""
    call_id: str = ""
    paths: tuple[str, ...] = ()
    """File paths that the call names in its arguments. Shell commands are not looked into."""
    failed: bool = False
    """Whether a result says that the call failed: by the API's flag, else by how its text begins."""
    tokens: int = 0
    """Estimated."""
    sent: bool = True
    """Whether the provider is known to have got it before; filled in by the engine."""
    locked: str = ""
    """Why it may not be edited; empty where it may."""


class Transcript(NamedTuple):
    api: str
    pieces: tuple[Piece, ...]
    head: int = 0
    """Tokens of tools and system prompt before the first message; estimated."""
    digests: tuple[bytes, ...] = ()
    """Of the conversation up to and including each message: 16 bytes. Marks of the prompt cache, which move from turn
    to turn, and system prompts, which may hold the time of day, do not count."""

    def starts(self) -> list[int]:
        """Estimated tokens of the prompt in front of each piece, and of all of it."""
        last, sizes = -1, []
        for piece in self.pieces:
            sizes.append(piece.tokens + (PER_MESSAGE if piece.message != last else 0))
            last = piece.message
        return list(accumulate(sizes, initial=self.head))

    @property
    def answered(self) -> int:
        """How many messages there are up to the last one that the model wrote: it has seen all of them."""
        return max((piece.message for piece in self.pieces if piece.role == "assistant"), default=-1) + 1


class Sizes:
    """Tokens of messages that were seen before: estimating a long conversation costs more than all else about it."""

    __slots__ = ("_known", "_limit")

    def __init__(self, limit: int = SIZES) -> None:
        self._known: dict[bytes, tuple[int, ...]] = {}
        self._limit = limit

    def get(self, digest: bytes) -> tuple[int, ...] | None:
        return self._known.get(digest)

    def put(self, digest: bytes, tokens: tuple[int, ...]) -> None:
        if len(self._known) >= self._limit:
            for oldest in [each for each, _ in zip(self._known, range(self._limit // 4 + 1), strict=False)]:
                del self._known[oldest]
        self._known[digest] = tokens


def transcript_of(
    body: Mapping[str, Any], api: str, salt: bytes = b"", sizes: Sizes | None = None
) -> Transcript | None:
    """None where the API is none of `APIS`, or goes on from a conversation that is kept at the provider.

    `salt`: what keeps conversations apart that read the same (upstream, tenant). Never raises for what a body holds,
    except `RecursionError` for one nested too deeply.
    """
    if api not in APIS or body.get("previous_response_id") is not None or body.get("conversation") is not None:
        return None
    sizes = Sizes() if sizes is None else sizes
    pieces: list[Piece] = []
    digests: list[bytes] = []
    digest = _hash(b"%d:" % len(salt) + salt)
    for index, (path, message, found) in enumerate(_read(body, api)):
        content = _hash(_canonical(message, api))
        digest = _hash(digest + (SYSTEM if _is_system(message) else content))
        digests.append(digest)
        tokens = sizes.get(content)
        if tokens is None or len(tokens) != len(found):
            tokens = tuple([tokens_of(each) for each in found])
            sizes.put(content, tokens)
        pieces += [_piece(each, index, path, size) for each, size in zip(found, tokens, strict=True)]
    return Transcript(api, tuple(_related(_locked(pieces))), _head(body, sizes), tuple(digests))


def shape(message: Any, api: str) -> list[tuple[Kind, str, str]]:
    """Kind, role and call of each piece of one message: what no edit changes, but that an image becomes a text."""
    return [(each.kind, each.role, each.call_id) for each in APIS[api][1](message)]


def _read(body: Mapping[str, Any], api: str) -> Iterator[tuple[Path, Any, list[Found]]]:
    member, reader = APIS[api]
    given = body.get(member)
    if isinstance(given, str):
        yield (member,), given, list(reader(given))
    for index, message in enumerate(given) if isinstance(given, list) else ():
        yield (member, index), message, list(reader(message))


def _piece(found: Found, message: int, path: Path, tokens: int) -> Piece:
    return Piece(
        found.kind,
        found.role,
        message,
        path + found.path,
        found.text,
        found.tool,
        found.call_id,
        found.paths,
        found.failed,
        tokens,
        locked=found.locked,
    )


def _locked(pieces: list[Piece]) -> list[Piece]:
    """With the first message of the user locked, and all of them that no answer of the model has followed yet."""
    asking = [piece.message for piece in pieces if piece.role == "user"]
    if not asking:
        return pieces
    answered = max((piece.message for piece in pieces if piece.role == "assistant"), default=-1)
    first, newest = asking[0], asking[-1]
    return [
        piece._replace(locked="first user message" if piece.message == first else "newest user message")
        if piece.role == "user" and not piece.locked and (piece.message in (first, newest) or piece.message > answered)
        else piece
        for piece in pieces
    ]


def _related(pieces: list[Piece]) -> Iterator[Piece]:
    """With the tool and the paths of each call told of its result. The last call of a name goes before it counts: some
    local engines number their calls anew in every answer."""
    calls: dict[str, Piece] = {}
    for piece in pieces:
        if piece.kind == "call" and piece.call_id:
            calls[piece.call_id] = piece
        elif piece.role == "tool" and (call := calls.get(piece.call_id)) is not None:
            piece = piece._replace(tool=call.tool, paths=call.paths)
        yield piece


def _head(body: Mapping[str, Any], sizes: Sizes) -> int:
    tools = body.get("tools")
    key = _hash(_encode([tools, body.get("system"), body.get("instructions")]))
    known = sizes.get(key)
    if known is None:
        texts = [body.get(name) for name in ("system", "instructions") if body.get(name)]
        known = (estimate_tools(tools) + sum(map(estimate_value, texts)),)
        sizes.put(key, known)
    return known[0]


def _is_system(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "developer")


def _canonical(message: Any, api: str) -> bytes:
    """The message as it is told from others: a content that is a text like the one part that it stands for."""
    if isinstance(message, dict):
        role, content = message.get("role"), message.get("content")
        if isinstance(content, str) and content:
            kind = "text"
            if api == "openai-responses":
                kind = "output_text" if role == "assistant" else "input_text"
            message = {**message, "content": [{"type": kind, "text": content}]}
    data = _encode(message)
    # Not a loop: this is the inner one of all that is done for every request.
    return _encode(_unmarked(message)) if _marks[0] in data or _marks[1] in data else data


def _unmarked(value: Any) -> Any:
    """Without marks, wherever a message can have them: on itself, on parts of its content, and on parts of those."""
    if isinstance(value, list):
        return [_unmarked(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: item for name, item in value.items() if name not in MARKS}
    for name in ("content", "output", "tool_calls"):
        if isinstance(kept.get(name), list):
            kept[name] = _unmarked(kept[name])
    return kept


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
