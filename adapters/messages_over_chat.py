"""Clients of Anthropic's Messages API on a provider that has chat completions."""

from __future__ import annotations

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.messages_over_chat_answer import answer
from adapters.messages_over_chat_error import error
from adapters.messages_over_chat_request import request
from adapters.messages_over_chat_stream import stream
from adapters.openai_chat import OPENAI_CHAT
from adapters.translation import Translation


class MessagesOverChat:
    """`adapters.translation.Translation`."""

    client = ANTHROPIC_MESSAGES
    provider = OPENAI_CHAT

    request = staticmethod(request)
    answer = staticmethod(answer)
    stream = staticmethod(stream)
    error = staticmethod(error)


MESSAGES_OVER_CHAT: Translation = MessagesOverChat()
