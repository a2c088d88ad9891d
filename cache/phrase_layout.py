"""What a text is made of before it is read as words: code, an instruction, and what the instruction is about."""

from __future__ import annotations

import re
from typing import NamedTuple


class Layout(NamedTuple):
    blocks: tuple[str, ...]
    """Code in fences and code that is indented, line ends without white space, indentation as it was."""
    tags: tuple[str, ...]
    """What stands behind the opening fence of each block, in lower case."""
    inline: tuple[str, ...]
    """Code in single backticks."""
    lines: tuple[str, ...]
    """Everything else: lines that are not empty, white space being one blank each."""


INDENTED = re.compile(r"(?: {4}|\t)\s*\S")
_TAG = re.compile(r"[ \t]*([\w+#.-]{0,20})[ \t]*\r?\n")
_TILDES = re.compile(r"^~{3,}", re.M)
_INLINE = re.compile(r"`([^`\n]+)`")


def layout(text: str) -> Layout:
    """Code that is opened and never closed goes to the end of the text."""
    blocks: list[str] = []
    tags: list[str] = []
    outside: list[str] = []
    if "~~~" in text:
        text = _TILDES.sub("```", text)
    for place, part in enumerate(text.split("```")):
        if place % 2:
            tag = _TAG.match(part)
            tags.append(tag[1].lower() if tag else "")
            blocks.append(trimmed(part[tag.end() :] if tag else part))
            outside.append("\n")
        else:
            outside.append(part)
    lines: list[str] = []
    indented: list[str] = []
    for line in "".join(outside).strip().splitlines():
        if lines and INDENTED.match(line):
            indented.append(line)
        elif not line.strip():
            indented += [""] * bool(indented)
        else:
            lines.append(" ".join(line.split()))
    if any(indented):
        blocks.append(trimmed("\n".join(indented)))
        tags.append("")
    inline: tuple[str, ...] = ()
    if any("`" in line for line in lines):
        inline = tuple(dict.fromkeys(filter(None, (each.strip() for line in lines for each in _INLINE.findall(line)))))
        lines = [_INLINE.sub(r"\1", line) for line in lines]
    return Layout(tuple(blocks), tuple(tags), inline, tuple(lines))


def trimmed(code: str) -> str:
    """White space at the ends of lines and empty lines around are gone; indentation counts."""
    return "\n".join(line.rstrip() for line in code.splitlines()).strip("\n")


# `a: b`, `a:b`, and the full-width colon; not `a::b`, `http://`, `C:\`, `3:4`.
_COLON = re.compile(r"(?<=[^\s:]):(?:\s+|(?![:/\\0-9\s])|$)|：\s*")


def split_at_colon(line: str) -> tuple[str, str] | None:
    """What stands before the first colon and what behind it."""
    found = _COLON.search(line)
    return (line[: found.start()], line[found.end() :]) if found else None


_QUOTED = re.compile(
    r'"([^"\n]+)"|“([^”\n]+)”|„([^“”"\n]+)[“”"]|«\s*([^»\n]+?)\s*»|»([^«\n]+)«|‹([^›\n]+)›|「([^」\n]+)」|『([^』\n]+)』'
    r"|(?<!\w)'([^'\n]+)'(?!\w)|(?<!\w)‘([^’\n]+)’(?!\w)|(?<!\w)'([^\n]{1,200}?)'(?![\w'])"
)
_QUOTES = frozenset("\"“”„«»‹›「」『』'‘")
_PUNCTUATION = ".,;:!?。，！？ \t"


def quoted(text: str) -> tuple[str, ...]:
    """What stands in quotation marks of any kind, in its order, without white space or punctuation at its ends."""
    if _QUOTES.isdisjoint(text):
        return ()
    found = ("".join(groups).strip(_PUNCTUATION) for groups in _QUOTED.findall(text))
    return tuple(each for each in found if each)
