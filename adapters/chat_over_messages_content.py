"""Content of chat-completions messages as blocks of the Messages API: texts, images, files, results of tools.

Parts of types that chat completions do not know are Anthropic's own (`document`, `search_result`, `thinking`, ...) and
pass as they are. What the provider takes for an error and says nothing (empty and blank texts) is left out.
Shapes: openai SDK 3.52 `types/chat/chat_completion_content_part_*`, anthropic SDK 2.12 `types/*_block_param.py`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from adapters.chat_over_messages_notes import Block, Notes
from adapters.errors import Refused

IMAGES = {
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/png": "image/png",
    "image/gif": "image/gif",
    "image/webp": "image/webp",
}
"""Types of images that are taken, by the names they go by."""

SUFFIXES = {".pdf": "application/pdf", ".txt": "text/plain", ".md": "text/markdown", ".csv": "text/csv"}
"""Type of a file whose data does not say it."""

Reader = Callable[[Mapping[str, Any], str], "Block | None"]
"""From a part and its path to a block; None for a text that is empty or blank."""


def passed(part: Mapping[str, Any], path: str) -> Block | None:
    """The reader of types that are Anthropic's own."""
    return {name: value for name, value in part.items() if name != "prompt_cache_breakpoint"}


def blocks_of(
    content: Any, path: str, notes: Notes, readers: Mapping[str, Reader], otherwise: Reader = passed
) -> list[Block]:
    """The blocks of a message's `content`; raises `Refused` (400) for what is no content.

    `otherwise` reads types for which there is no reader. The mark of a text that is left out moves to the block before
    it, where the same prefix ends.
    """
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content and not content.isspace() else []
    if content is None:
        return []
    path = f"{path}.content"
    if not isinstance(content, list):
        raise Refused(400, "`content` must be a string or an array of parts", param=path)
    blocks: list[Block] = []
    for place, part in enumerate(content):
        where = f"{path}[{place}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str):
            raise Refused(400, "a part of a content must be an object with a `type`", param=where)
        block = readers.get(kind, otherwise)(part, where)
        if block is None:
            notes.put_last(blocks, notes.mark_of(part, where), where)
        else:
            notes.put_of(part, block, where)
            blocks.append(block)
    return blocks


def blank(text: str) -> bool:
    return not text or text.isspace()


def text(part: Mapping[str, Any], path: str) -> Block | None:
    said = part.get("text")
    if not isinstance(said, str):
        raise Refused(400, "`text` must be a string", param=f"{path}.text")
    if blank(said):
        return None
    block: Block = {"type": "text", "text": said}
    if part.get("citations"):
        block["citations"] = part["citations"]
    return block


def refusal(part: Mapping[str, Any], path: str) -> Block | None:
    said = part.get("refusal")
    if not isinstance(said, str):
        raise Refused(400, "`refusal` must be a string", param=f"{path}.refusal")
    return None if blank(said) else {"type": "text", "text": said}


def never(why: str) -> Reader:
    """A reader that refuses."""

    def refuse(part: Mapping[str, Any], path: str) -> Block | None:
        raise Refused(400, why, param=path)

    return refuse


def image(part: Mapping[str, Any], path: str) -> Block:
    """`detail` has no equivalent and changes nothing that the answer promises."""
    path = f"{path}.image_url"
    image_url = part.get("image_url")
    url = image_url.get("url") if isinstance(image_url, dict) else image_url
    if not isinstance(url, str):
        raise Refused(400, "`image_url` must be an object with a `url`", param=path)
    scheme = url[:8].lower()
    if scheme.startswith(("http://", "https://")):
        return {"type": "image", "source": {"type": "url", "url": url}}
    media, data = _data_url(url, path)
    known = IMAGES.get(media)
    if known is None:
        raise Refused(400, "an image must be a JPEG, PNG, GIF or WebP", param=path)
    return {"type": "image", "source": {"type": "base64", "media_type": known, "data": data}}


def _data_url(url: str, path: str) -> tuple[str, str]:
    """Media type and base64 text."""
    head, comma, data = url.partition(",")
    scheme, _, rest = head.partition(":")
    media, *options = rest.lower().split(";")
    if not comma or scheme.lower() != "data" or "base64" not in (option.strip() for option in options):
        raise Refused(400, "this must be an http(s) URL or a data URL in base64", param=path)
    return media.strip(), data


def document(part: Mapping[str, Any], path: str) -> Block:
    path = f"{path}.file"
    file = part.get("file")
    if not isinstance(file, dict):
        raise Refused(400, "`file` must be an object", param=path)
    name, data = file.get("filename"), file.get("file_data")
    if data is None and file.get("file_id") is not None:
        raise Refused(400, "this provider can't read files by their id: send `file_data`", param=f"{path}.file_id")
    path = f"{path}.file_data"
    if not isinstance(data, str):
        raise Refused(400, "`file_data` must be a string", param=path)
    title = name if isinstance(name, str) else ""
    if data[:5].lower() == "data:":
        media, data = _data_url(data, path)
    else:
        media = SUFFIXES.get(title[title.rfind(".") :].lower(), "") if "." in title else ""
    if media == "application/pdf":
        source = {"type": "base64", "media_type": media, "data": data}
    elif media.startswith("text/"):
        source = {"type": "text", "media_type": "text/plain", "data": _decoded(data, path)}
    else:
        raise Refused(400, "a file must be a PDF or a text", param=path)
    block: Block = {"type": "document", "source": source}
    return block | {"title": title} if title else block


def _decoded(data: str, path: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        raise Refused(400, "the file is no UTF-8 text in base64", param=path) from None


_AUDIO = never("this provider can't hear audio")
_NO_IMAGES = never("this model can't see images")
_REFUSAL = never("a refusal is the assistant's")
_ONLY_TEXT = never("a system message is text")
_NOT_SAID = never("an assistant's message holds texts and tool calls only")

SYSTEM: dict[str, Reader] = {"text": text}
USER: dict[str, Reader] = {
    "text": text,
    "image_url": image,
    "file": document,
    "input_audio": _AUDIO,
    "refusal": _REFUSAL,
}
BLIND: dict[str, Reader] = USER | {"image_url": _NO_IMAGES, "image": _NO_IMAGES}
"""Of a user's message to a model without eyes."""

ASSISTANT: dict[str, Reader] = {
    "text": text,
    "refusal": refusal,
    "image_url": _NOT_SAID,
    "file": _NOT_SAID,
    "input_audio": _NOT_SAID,
    "document": _NOT_SAID,
    "image": _NOT_SAID,
}


def user_blocks(message: Mapping[str, Any], path: str, notes: Notes, readers: Mapping[str, Reader]) -> list[Block]:
    """Raises `Refused` (400) where nothing is said."""
    blocks = blocks_of(message.get("content"), path, notes, readers)
    if not blocks:
        raise Refused(400, "the message is empty", param=f"{path}.content")
    notes.put_of(message, blocks[-1], path)
    return blocks


def system_blocks(message: Mapping[str, Any], path: str, notes: Notes) -> list[Block]:
    """One block for each text; none where nothing is said, which is how many clients say that they have no prompt."""
    blocks = blocks_of(message.get("content"), path, notes, SYSTEM, _ONLY_TEXT)
    if blocks:
        notes.put_of(message, blocks[-1], path)
    return blocks


def tool_result(
    message: Mapping[str, Any], identity: str, path: str, notes: Notes, readers: Mapping[str, Reader]
) -> Block:
    """The block for one `tool` message. A mark on the last part ends the same prefix as one on the whole result."""
    result: Block = {"type": "tool_result", "tool_use_id": identity}
    content = message.get("content")
    if isinstance(content, str):
        if not blank(content):
            result["content"] = content
    else:
        blocks = blocks_of(content, path, notes, readers)
        if blocks:
            result["content"] = blocks
            control = blocks[-1].pop("cache_control", None)
            if control is not None:
                result["cache_control"] = control
    if message.get("is_error") is True:
        result["is_error"] = True
    notes.put_of(message, result, path)
    return result
