"""What an answer of a model is labelled with: tags of its request, tags by rules, and all that these rest on."""

from __future__ import annotations

from adapters.vocabulary import Call
from cache.dependencies import Dependencies
from cache.files import Changed, Files
from cache.keeping import EMBEDDINGS, namespace_of
from cache.labels import FILE, BadLabel, distinct
from cache.tag_rules import Asked, TagRules


class Labelling:
    """`tagging` off: there are no tags; `depending` off: tags stand for nothing but themselves."""

    def __init__(
        self,
        rules: TagRules,
        dependencies: Dependencies,
        files: Files,
        *,
        tagging: bool = True,
        depending: bool = True,
    ) -> None:
        self._rules, self._dependencies, self._files = rules, dependencies, files
        self._tagging, self._depending = tagging, depending

    def __call__(self, call: Call) -> tuple[str, ...]:
        """For an answer whose making begins now: what its files are is noted. Raises `BadLabel`."""
        if not self._tagging:
            return ()
        tags = call.controls.tags
        if self._rules:
            tags = distinct((*tags, *self._rules.tags(asked_of(call))))
        if not tags or not self._depending:
            return tags
        labels = self._dependencies.upward(tags, call.tenant)
        if not any(label.startswith(FILE) for label in labels):
            return labels
        try:
            return self._files.witnessed(self._files.named(labels))
        except Changed as error:  # can't be, as long as nobody says what the files were
            raise BadLabel(str(error)) from error


def asked_of(call: Call) -> Asked:
    batch = call.target.partition("?")[0] == "/embeddings"
    namespace = namespace_of(call, EMBEDDINGS) if batch else namespace_of(call)
    body = call.body if isinstance(call.body, bytes) else b""
    return Asked(call.model, call.tenant, namespace, call.target.partition("?")[0], body)
