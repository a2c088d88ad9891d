"""Makes the verifier that is packaged: fits it to the measurement data and writes `cache/data/verifier.toml`.

    python scripts/train_verifier.py DATA [--date 2026-11-21] [more options of `warmgate semantic calibrate`]

DATA is the directory with `semantic/stream.jsonl.gz`. The same data, code and date give the same file. The threshold is
set on sources that were not learned from: what the packaged verifier meets is traffic that nobody has seen. It learns
from the stream alone, whose questions meet the neighbours that questions meet; the pairs beside it were chosen to be
hard, and weights that were fitted to them too serve less at the same error (`--pairs` takes them in).
"""

from __future__ import annotations

import sys
from pathlib import Path

from proxy import cli

ROOT = Path(__file__).resolve().parents[1]
PACKAGED = ROOT / "cache" / "data" / "verifier.toml"


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        sys.stderr.write(__doc__ or "")
        return 2
    data = Path(arguments[0]) / "semantic"
    chosen = ["--stream", str(data / "stream.jsonl.gz"), "--folds", "source", "--out", str(PACKAGED)]
    return cli.main(["semantic", "calibrate", *chosen, *arguments[1:]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
