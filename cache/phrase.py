"""A question as guards and verifier read it: one text, each of its parts computed once and when first asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Any, TypeVar

from cache.guard_lists import listed, table
from cache.phrase_layout import Layout, layout, quoted, split_at_colon
from cache.phrase_words import asked, folded, normalised, sentences, stem

T = TypeVar("T")

LONG_PAYLOAD = 400
"""Characters. What an instruction is about is read as words up to here; beyond it has to be the same anyway."""

LANGUAGES: dict[str, frozenset[str]] = {
    name: frozenset(listed(words)) for name, words in table("words")["languages"].items()
}
"""Words by which each language is known."""

_TONGUES = {
    word: tuple(name for name, words in LANGUAGES.items() if word in words)
    for word in frozenset().union(*LANGUAGES.values())
}

_WORDS = table("words")
TRANSFORMING = frozenset(listed(_WORDS["transforming"]))
"""Orders to do something with a text that follows."""
_REQUESTS = frozenset(listed(_WORDS["requests"]))
_FUNCTION = {
    **{name: words - frozenset(listed(_WORDS["kept"])) for name, words in LANGUAGES.items()},
    "en": frozenset(listed(_WORDS["function"])),
}


class Phrase:
    """Equal texts have equal parts; no text makes a part fail."""

    __slots__ = ("_parts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts: dict[Callable[[Phrase], Any], Any] = {}

    def part(self, read: Callable[[Phrase], T]) -> T:
        """What `read` makes of this text, computed once. For guards that read something of their own."""
        parts = self._parts
        if read not in parts:
            parts[read] = read(self)
        found: T = parts[read]
        return found

    @property
    def layout(self) -> Layout:
        return self.part(_layout)

    @property
    def payload(self) -> str:
        """What an instruction is about: everything behind its colon or its line, in one line; often empty."""
        return self.part(_instruction)[1]

    @property
    def quotes(self) -> tuple[str, ...]:
        """What stands in quotation marks, outside code."""
        return self.part(_quotes)

    @property
    def prose(self) -> str:
        """The text without blocks of code and without a long payload; code within a line and quotes belong to it."""
        return self.part(_prose)

    @property
    def plain(self) -> str:
        """The prose in one spelling (`cache.phrase_words.normalised`), letter case as it was."""
        return self.part(_plain)

    @property
    def sentences(self) -> tuple[tuple[str, ...], ...]:
        """The words of each sentence of the prose, in their own letter case."""
        return self.part(_sentences)

    @property
    def words(self) -> tuple[str, ...]:
        """All words of the prose, without letter case and punctuation, short forms written out, numerals in digits."""
        return self.part(_words)

    @property
    def statements(self) -> tuple[tuple[str, ...], ...]:
        """The words of each sentence, without courtesies; a sentence that is nothing else is left out."""
        return self.part(_statements)

    @property
    def asked(self) -> tuple[str, ...]:
        """`words` without courtesies."""
        return self.part(_asked)

    @property
    def language(self) -> str:
        """`en`, `de`, `fr`, `es`, `it`, `pt`, `nl`; empty where the words don't tell."""
        return self.part(_language)

    @property
    def content(self) -> tuple[str, ...]:
        """The stems of what is asked, without function words, in their order."""
        return self.part(_content)


def _layout(phrase: Phrase) -> Layout:
    return layout(phrase.text)


def polite(line: str) -> bool:
    """Whether nothing but a courtesy is in it."""
    return len(line) <= 80 and not any(asked(folded(words)) for words in sentences(normalised(line)))


def _about(line: str) -> bool:
    """Whether what follows may be what the line is about, however polite it is."""
    return line.endswith((":", "：")) or line.partition(" ")[0].casefold() in TRANSFORMING


def _instruction(phrase: Phrase) -> tuple[str, str]:
    lines = list(phrase.layout.lines)
    while len(lines) > 1 and polite(lines[0]):
        del lines[0]
    while len(lines) > 1 and not _about(lines[0]) and polite(lines[-1]):
        del lines[-1]
    if not lines:
        return "", ""
    head, rest = lines[0], lines[1:]
    while parts := split_at_colon(head):
        if not polite(parts[0]):
            head, rest = parts[0], [parts[1], *rest]
            break
        head = parts[1]
    return head, " ".join(" ".join(rest).split())


def _prose(phrase: Phrase) -> str:
    head, payload = phrase.part(_instruction)
    return f"{head}\n{payload}" if payload and len(payload) <= LONG_PAYLOAD else head


def _quotes(phrase: Phrase) -> tuple[str, ...]:
    return quoted(phrase.prose)


def _plain(phrase: Phrase) -> str:
    return normalised(phrase.prose)


def _sentences(phrase: Phrase) -> tuple[tuple[str, ...], ...]:
    return tuple(sentences(phrase.plain))


def _folded(phrase: Phrase) -> list[list[str]]:
    return [words for sentence in phrase.sentences if (words := folded(sentence))]


def _words(phrase: Phrase) -> tuple[str, ...]:
    return tuple(chain.from_iterable(phrase.part(_folded)))


def _statements(phrase: Phrase) -> tuple[tuple[str, ...], ...]:
    folded_sentences = phrase.part(_folded)
    if folded_sentences and folded_sentences[0][0] in TRANSFORMING:
        # A courtesy may be what is to be translated.
        return tuple(map(tuple, folded_sentences))
    return tuple(left for words in folded_sentences if (left := asked(words))) or tuple(map(tuple, folded_sentences))


def _asked(phrase: Phrase) -> tuple[str, ...]:
    return tuple(chain.from_iterable(phrase.statements))


def _language(phrase: Phrase) -> str:
    found = [tongue for word in phrase.words for tongue in _TONGUES.get(word, ())]
    if not found:
        # Keywords in ASCII are taken for English; of others nothing is known.
        return "en" if phrase.plain.isascii() else ""
    counts = Counter(found).most_common()
    (name, most), (_, next_most) = counts[0], (*counts, ("", 0))[1]
    known = most > 1 or name == "en" or any(len(word) > 2 and word in _TONGUES for word in phrase.words)
    if known and most > next_most:
        return name
    # What may be English is, unless it has letters that English has not.
    return "en" if phrase.plain.isascii() and (most < 2 or found.count("en") == most) else ""


def _content(phrase: Phrase) -> tuple[str, ...]:
    function = _FUNCTION.get(phrase.language, _FUNCTION["en"])
    stems: list[str] = []
    words = phrase.asked
    for place, word in enumerate(words):
        if word in function:
            # An article has a word to belong to: this is the letter, as in `from A to B`.
            if word == "a" and (place + 1 == len(words) or words[place + 1] in function):
                stems.append(word)
        elif stems or word not in _REQUESTS:
            stems.append(stem(word))
    return tuple(stems)
