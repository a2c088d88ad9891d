"""Clients of chat completions on a provider that has Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.capabilities import Capabilities
from adapters.chat_over_messages_answer import answer
from adapters.chat_over_messages_error import error
from adapters.chat_over_messages_request import request
from adapters.chat_over_messages_stream import stream
from adapters.openai_chat import OPENAI_CHAT
from adapters.translation import Terms, Translation
from adapters.vocabulary import Sent


class ChatOverMessages:
    """`adapters.translation.Translation`. `learned`: what providers said of their models, by name; it goes before the
    table, and is filled once, when the process begins."""

    client = OPENAI_CHAT
    provider = ANTHROPIC_MESSAGES

    def __init__(self, learned: Mapping[str, Capabilities]) -> None:
        self.learned = learned

    def request(self, body: Mapping[str, Any], terms: Terms) -> Sent:
        return request(body, terms, self.learned.get(terms.model))

    answer = staticmethod(answer)
    stream = staticmethod(stream)
    error = staticmethod(error)


CHAT_OVER_MESSAGES: Translation = ChatOverMessages({})
"""By the table alone."""
