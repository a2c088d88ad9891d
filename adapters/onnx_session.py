"""An ONNX model, loaded and run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.embedder import EmbedderUnavailable
from adapters.extras import attempted, library

GIVEN = frozenset({"input_ids", "attention_mask", "token_type_ids"})
"""Inputs that there is something for."""


class OnnxSession:
    """On the processor, by this many threads. Raises `EmbedderUnavailable` for what is no model or wants other inputs
    than token ids."""

    def __init__(self, model: bytes | str, where: str, threads: int) -> None:
        """`model`: serialised, or its path."""
        runtime = library("onnxruntime", "onnx")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors; they are raised as well
        # A pool of threads that spins between two runs would take the processor from the event loop.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = attempted(
            lambda: runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"]), where
        )
        self.inputs = {each.name for each in self._session.get_inputs()}
        if "input_ids" not in self.inputs or self.inputs - GIVEN:
            raise EmbedderUnavailable(f"{where}: its inputs are {sorted(self.inputs)}, not those of a text encoder")
        self.outputs = {each.name: len(each.shape) for each in self._session.get_outputs()}
        """Dimensions of each."""

    def run(self, output: str, feeds: Mapping[str, Any]) -> Any:
        """Takes what it needs of the feeds."""
        return self._session.run([output], {name: feeds[name] for name in self.inputs})[0]
