"""Reading the public data sets: one JSON object a line, zstd, split on newlines alone."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

from stepdown.errors import InputError

__all__ = ["read_set"]


def read_set(data: Path, name: str, split: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of `data/<name>/<name>.jsonl.zst` (or `<folder>/<file>`), of one split or all.

    Raises:
        InputError: the set is not there.
    """
    folder, _, file = name.partition("/")
    path = data / folder / f"{file or folder}.jsonl.zst"
    try:
        raw = open(path, "rb")  # noqa: SIM115 - closed by the with statement below
    except OSError as error:
        raise InputError(f"Data set {path} can't be read ({error.strerror}).") from error
    with raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
        for line in io.TextIOWrapper(stream, encoding="utf-8", newline="\n"):
            row = json.loads(line)
            if split is None or row["split"] == split:
                yield row
