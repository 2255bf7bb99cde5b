"""A dataset as JSON lines: a header, then one example a line; its name is the hash of both."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from stepdown.core.datasets import Dataset, Example, Quarantined, SplitReport
from stepdown.core.fingerprint import canonical_json, digest
from stepdown.errors import ArtefactError

__all__ = ["load_dataset", "named", "noting", "save_dataset", "without"]

_VERSION = 2
_ID_LENGTH = 12
_UNSAID = {"origin": "log", "probability": None}
"""What most rows have is not written out."""


class _Versioned(msgspec.Struct):
    version: int


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    id: str
    task: str
    rows: int
    report: SplitReport
    merged: dict[str, str]
    quarantined: tuple[Quarantined, ...]


def _lines(dataset: Dataset) -> list[bytes]:
    rows: list[dict[str, Any]] = [msgspec.to_builtins(example) for example in dataset.examples]
    return [
        canonical_json({k: v for k, v in row.items() if k not in _UNSAID or v != _UNSAID[k]})
        for row in rows
    ]


def _header(dataset: Dataset) -> _Header:
    rows = len(dataset.examples)
    return _Header(
        _VERSION,
        dataset.id,
        dataset.task,
        rows,
        dataset.report,
        dataset.merged,
        dataset.quarantined,
    )


def _identity(header: _Header, lines: list[bytes]) -> str:
    nameless = canonical_json(msgspec.structs.replace(header, id=""))
    return digest(b"\n".join([nameless, *lines]))[:_ID_LENGTH]


def named(dataset: Dataset) -> Dataset:
    """Return the dataset under the name that its content gives it."""
    name = _identity(_header(dataset), _lines(dataset))
    return msgspec.structs.replace(dataset, id=name)


def noting(dataset: Dataset, notes: tuple[str, ...]) -> Dataset:
    """Return the dataset with more to be said of it, under its new name."""
    if not notes:
        return dataset
    report = msgspec.structs.replace(dataset.report, notes=(*dataset.report.notes, *notes))
    return named(msgspec.structs.replace(dataset, report=report))


def without(dataset: Dataset, gone: Callable[[Example], bool]) -> Dataset:
    """Return the dataset without some of its rows, under its new name; itself if it has none."""
    left = tuple(example for example in dataset.examples if not gone(example))
    apart = tuple(one for one in dataset.quarantined if not gone(one.row))
    count = len(dataset.examples) - len(left) + len(dataset.quarantined) - len(apart)
    if not count:
        return dataset
    sizes = Counter(example.split for example in left)
    # The note on a group tells its name, that on planted rows their words.
    told = ("One group (", "look planted")
    notes = [note for note in dataset.report.notes if not any(one in note for one in told)]
    report = msgspec.structs.replace(
        dataset.report,
        train=sizes["train"],
        calibration=sizes["calibration"],
        test=sizes["test"],
        notes=(*notes, f"{count:,} rows were taken out after the split was made."),
    )
    return named(msgspec.structs.replace(dataset, examples=left, report=report, quarantined=apart))


def save_dataset(dataset: Dataset) -> bytes:
    """Return the bytes of `dataset-<id>.jsonl`."""
    return b"\n".join([canonical_json(_header(dataset)), *_lines(dataset), b""])


def load_dataset(data: bytes) -> Dataset:
    """Read what `save_dataset` wrote.

    Raises:
        ArtefactError: it is not a dataset, of another version, or not the one that was saved, to
            the byte.
    """
    first, *lines = data.split(b"\n")
    try:
        version = msgspec.json.decode(first, type=_Versioned).version
        if version != _VERSION:
            age = "an older" if version < _VERSION else "a newer"
            raise ArtefactError(f"This dataset was made by {age} version of stepdown; {_FIX}")
        header = msgspec.json.decode(first, type=_Header)
        decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Example)
        examples = tuple(decoder.decode(line) for line in lines[:-1])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ArtefactError(f"This is not a dataset ({error}); {_FIX}") from error
    dataset = Dataset(
        header.id, header.task, examples, header.report, header.merged, header.quarantined
    )
    # Comparing bytes also refuses what decoding passes over: an unknown key, a space.
    if save_dataset(named(dataset)) != data:
        raise ArtefactError(f"Dataset {header.id} was changed after it was made; {_FIX}")
    return dataset


_FIX = "make it again with `stepdown label`."
