"""Clients of chat completions on a provider that has Anthropic's Messages API."""

from __future__ import annotations

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.chat_over_messages_answer import answer
from adapters.chat_over_messages_error import error
from adapters.chat_over_messages_request import request
from adapters.chat_over_messages_stream import stream
from adapters.openai_chat import OPENAI_CHAT
from adapters.translation import Translation


class ChatOverMessages:
    """`adapters.translation.Translation`."""

    client = OPENAI_CHAT
    provider = ANTHROPIC_MESSAGES

    request = staticmethod(request)
    answer = staticmethod(answer)
    stream = staticmethod(stream)
    error = staticmethod(error)


CHAT_OVER_MESSAGES: Translation = ChatOverMessages()
