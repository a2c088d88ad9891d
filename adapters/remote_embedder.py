"""Vectors of an OpenAI-compatible provider, asked for through a handler as any other call is.

Source: OpenAI's API reference of embeddings (read 2026-11): `input`, `encoding_format: base64` (little-endian 32-bit
floats), `dimensions` for models that can shorten their vectors. Providers that do not know base64 answer with numbers.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

import msgspec
import numpy as np
from multidict import CIMultiDict

from adapters.body import mapping
from adapters.embedder import Embedded, normalised
from adapters.embedding_batches import Batches, Limits, WholeBatchError
from adapters.embedding_thread import check_texts, stacked
from adapters.errors import EmbeddingError, Refused, Torn, UpstreamError
from adapters.openai_embeddings import OPENAI_EMBEDDINGS
from adapters.tokens import estimate
from adapters.usage import Usage
from adapters.vocabulary import NOWHERE, Call, Handler, Headers, Reply, Route

AT_ONCE = 4
"""Requests in flight: a provider computes them side by side."""

CHARACTERS, BYTES = 8, 4
"""A text of so many characters for each token of the window is too long, whatever it says; a character has four bytes
at most, and a token one at least: with that many tokens to a character, nothing needs to be estimated."""

TEXTS_FAULT = frozenset({400, 413, 422})
"""Statuses that may be about one of the texts, so that the others are asked again."""

Price = Callable[[str, Usage], float | None]
"""US dollars of a model's usage; None where the price is unknown."""


class Service(NamedTuple):
    """Who is asked, and for what."""

    handler: Handler
    model: str
    dimension: int
    shorten: bool = False
    """Whether the dimension is asked for, because the model has more."""
    upstream: str = ""
    """The provider's name in the configuration: two of them may call different models by one name."""
    prefix: str = ""
    window: int = 512
    """Tokens of a text, by estimate; longer ones are not sent, for not every provider says that it cut them."""
    headers: Headers = ()
    """The credential, where the handler does not put it there."""
    route: Route = NOWHERE
    price: Price = lambda model, usage: None


class RemoteEmbedder:
    """`adapters.embedder.Embedder`."""

    def __init__(self, service: Service, limits: Limits) -> None:
        self.dimension = service.dimension
        self.identity = f"upstream {service.upstream} {service.model} {service.dimension} {service.prefix!r}"
        self._service, self._patience = service, limits.timeout
        self._batches = Batches(self._compute, limits, len, at_once=AT_ONCE)
        self._named: object = None
        """The model that the provider says it used."""

    async def embed(self, texts: Sequence[str]) -> Embedded:
        check_texts(texts)
        for text in texts:
            self._check(text)
        rows, bill = await self._batches.ask(texts)
        return Embedded(stacked(rows, self.dimension), bill.usage, bill.cost)

    def _check(self, text: str) -> None:
        if not text.strip():
            raise EmbeddingError("nothing to embed")
        window = self._service.window
        if len(text) * BYTES <= window:
            return
        if len(text) > CHARACTERS * window or estimate(text) > window:
            raise EmbeddingError("too long")

    async def _compute(self, texts: list[str]) -> Embedded:
        service = self._service
        asked: dict[str, Any] = {
            "model": service.model,
            "input": [service.prefix + text for text in texts],
            "encoding_format": "base64",
        }
        if service.shorten:
            asked["dimensions"] = service.dimension
        try:
            body = msgspec.json.encode(asked)
        except UnicodeEncodeError as error:
            raise EmbeddingError("no Unicode text") from error
        headers = CIMultiDict([*service.headers, ("Content-Type", "application/json")])
        call = Call("POST", "/embeddings", headers, body, OPENAI_EMBEDDINGS, asked, route=service.route)
        try:
            async with asyncio.timeout(self._patience):
                reply = await service.handler(call)
                answer = await _read(reply)
        except TimeoutError as error:
            raise WholeBatchError("timeout") from error
        except (UpstreamError, Torn, Refused) as error:
            raise WholeBatchError(f"{getattr(error, 'code', '') or 'torn'}: {error}") from error
        if reply.status >= 300:
            kind = EmbeddingError if reply.status in TEXTS_FAULT else WholeBatchError
            raise kind(f"status {reply.status}")
        return self._embedded(answer, asked["input"])

    def _embedded(self, answer: bytes, texts: list[str]) -> Embedded:
        try:
            message = msgspec.json.decode(answer)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise WholeBatchError("the answer is no JSON") from error
        message = mapping(message)
        if objection := OPENAI_EMBEDDINGS.objection(message):
            raise WholeBatchError(objection)
        self._check_model(message)
        data = sorted(message["data"], key=lambda item: int(item["index"]))
        try:
            vectors = normalised([_numbers(item["embedding"]) for item in data], len(texts), self.dimension)
        except (EmbeddingError, binascii.Error, ValueError) as error:
            raise WholeBatchError(f"not the vectors of {self._service.model}: {error}") from error
        usage = OPENAI_EMBEDDINGS.usage(message)
        if usage is None:
            usage = Usage(uncached=sum(map(estimate, texts)), estimated=True)
        return Embedded(vectors, usage, self._service.price(self._service.model, usage))

    def _check_model(self, message: Mapping[str, Any]) -> None:
        """A provider that changes the model behind a name changes all distances with it."""
        named = message.get("model")
        if self._named is None:
            self._named = named
        if named != self._named:
            raise WholeBatchError(f"the provider changed the model from {self._named} to {named}")

    async def close(self) -> None:
        await self._batches.close()


def _numbers(value: Any) -> Any:
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), "<f4")
    return value


async def _read(reply: Reply) -> bytes:
    async with aclosing(reply.frames):
        if reply.body is not None:
            return reply.body
        return b"".join([frame.raw async for frame in reply.frames])
