"""What a score may see of a request: lengths, counts and marks, and its words as a short vector.

All of it takes well under 0.2 ms and no neural network: hashed character n-grams, and static word
vectors where they are installed.
"""

import math
from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from stepdown.core.calls import Request
from stepdown.core.tiering import TASK_TYPES, task_type_of

__all__ = ["GRAMS", "SHAPE", "Vectors", "grams_of", "shape_of", "text_of", "words_of"]

Floats = NDArray[np.float32]


class Vectors(Protocol):
    """Static word vectors: `hash` names them, `size` is their length."""

    @property
    def hash(self) -> str:
        """The fingerprint of the vectors and their tokens."""
        ...

    @property
    def size(self) -> int:
        """How many numbers a vector has."""
        ...

    def embed(self, tokens: Sequence[str]) -> NDArray[np.float32]:
        """Return the vector, of length 1, of a text given as its lower-case tokens."""
        ...


_HEAD, _TAIL, _SYSTEM = 400, 200, 150
"""Characters looked at: of the last message's beginning and end, and of the instructions."""


def _kinds() -> NDArray[np.uint8]:
    """Return each byte's kind, as `_MARKS` lists them; 0 is any other."""
    table = np.zeros(256, np.uint8)
    for kind, marks in enumerate(_MARKS, start=1):
        table[list(marks)] = kind
    return table


_MARKS = (
    b"0123456789",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"=+^\\<>*/%",
    b"{}()[];",
    b"\n",
    b"?",
    b" ",
)
_KINDS = _kinds()

SHAPE: tuple[str, ...] = (
    "log characters of the last message",
    "log characters before it",
    "log messages",
    "characters a word",
    "share of digits",
    "share of capitals",
    "share of maths marks",
    "share of brackets",
    "log lines",
    "question marks",
    "blanks to fill",
    "negations",
    "log tools",
    "log fields of the schema",
    "log tokens allowed",
    "parts that are not text",
    *(f"is {kind}" for kind in TASK_TYPES),
)
"""What `shape_of` measures, in its order."""


def text_of(request: Request) -> str:
    """Return the text that is looked at: how the instructions begin, and the last message's ends.

    The last message comes first, so that what a call is about is never cut off.
    """
    if not request.messages:
        return ""
    last = request.messages[-1].text
    if len(last) > _HEAD + _TAIL:
        last = f"{last[:_HEAD]} {last[-_TAIL:]}"
    first = request.messages[0]
    if first.role in ("system", "developer") and len(request.messages) > 1:
        return f"{last}\n{first.text[:_SYSTEM]}"
    return last


def shape_of(request: Request, text: str) -> list[float]:
    """Return the numbers that `SHAPE` names; `text` is `text_of` the request."""
    messages = request.messages
    last = len(messages[-1].text) if messages else 0
    before = sum(len(message.text) for message in messages[:-1])
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    counts = np.bincount(_KINDS[data], minlength=len(_MARKS) + 1).tolist()
    digits, capitals, maths, brackets, lines, questions, blanks = counts[1:]
    length = max(len(data), 1)
    lower = text.lower()
    kind = task_type_of(request)
    return [
        math.log1p(last),
        math.log1p(before),
        math.log1p(len(messages)),
        length / max(blanks + lines, 1),
        digits / length,
        capitals / length,
        maths / length,
        brackets / length,
        math.log1p(lines),
        float(questions),
        float("__" in text),
        float(lower.count(" not ") + lower.count("n't ") + lower.count("except")),
        math.log1p(len(request.tools.tools)),
        math.log1p(_fields(request)),
        math.log1p(_allowed(request)),
        float(sum(len(message.other_parts) for message in messages)),
        *(float(kind == each) for each in TASK_TYPES),
    ]


def _fields(request: Request) -> int:
    schema = request.output_format.schema
    found = schema.get("properties") if schema else None
    return len(cast("dict[str, object]", found)) if isinstance(found, dict) else 0


def _allowed(request: Request) -> float:
    """Return the limit of answer tokens; 0 where none is stated."""
    for name in ("max_completion_tokens", "max_tokens"):
        limit = request.params.get(name)
        if isinstance(limit, int) and limit > 0:
            return float(min(limit, 1 << 30))
    return 0.0


GRAMS = 1024
"""Buckets that character n-grams are hashed into."""

_LENGTHS = (3, 5)
_LONGEST = max(_LENGTHS)
_PRIME = np.uint32(0x9E3779B1)
_SHIFT = np.uint32(15)
_BUCKET = np.uint32(32 - GRAMS.bit_length() + 1)
_LENGTH = np.float32(4.0)
"""Of each of the two vectors: beside numbers of spread 1, so much the penalty lets them count."""


def grams_of(text: str) -> Floats:
    """Return log counts of hashed character 3- and 5-grams of the lower-case text, of length 4."""
    joined = f" {' '.join(text.lower().split())} "
    data = np.frombuffer(joined.encode("utf-8", "replace"), np.uint8).astype(np.uint32)
    if len(data) < _LONGEST:
        return np.zeros(GRAMS, np.float32)
    found: list[NDArray[np.uint32]] = []
    hashed = np.zeros(len(data), np.uint32)
    for at in range(_LONGEST):
        # What stands there is the hash of the `at` characters from each place on.
        hashed = (hashed[: len(data) - at] ^ data[at:]) * _PRIME
        hashed ^= hashed >> _SHIFT
        if at + 1 in _LENGTHS:
            found.append(hashed >> _BUCKET)
    counts = np.log1p(np.bincount(np.concatenate(found), minlength=GRAMS).astype(np.float32))
    scale = _LENGTH / np.sqrt(counts @ counts)
    return (counts * scale).astype(np.float32)


def words_of(text: str, vectors: Vectors) -> Floats:
    """Return the text's static vector, of length 4."""
    return vectors.embed(text.lower().split()) * _LENGTH
