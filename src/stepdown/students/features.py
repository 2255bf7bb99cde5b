"""What the linear family sees of a text: weighted n-grams and, where installed, static vectors.

Words and word pairs, and the 2- to 5-character n-grams within words, each counted as 1 + ln(count),
times the inverse document frequency, each of the two parts scaled to length 1: the numbers that
scikit-learn's TfidfVectorizer gives (sublinear_tf, analyzer "word" and "char_wb"), computed without
it. The n-grams of a word are looked up once and remembered.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.tasks import Input
from stepdown.students.static import StaticTable

if TYPE_CHECKING:
    from scipy import sparse

__all__ = [
    "MAX_CHARS",
    "Features",
    "Featurizer",
    "Matrix",
    "Vocabulary",
    "blocks_of",
    "fit_vocabulary",
]

MAX_CHARS = 20_000
"""A longer block is read by its first and its last half of this many characters alone."""

_SHORTEST, _LONGEST = 2, 5
_WORD = re.compile(r"\w+")
_RARE_FROM_ROWS = 500
_COUNTED = 2_000_000
_REMEMBERED = 1 << 15
_REMEMBERED_LENGTH = 32
_CONTEXT_SHARE = 0.01
_ROLES = ("user", "assistant", "tool", "function")
_LOG_COUNT = (1.0 + np.log(np.maximum(np.arange(MAX_CHARS * 4 + 2), 1))).astype(np.float32)


_Token = tuple[bytes, str, str, int, int]
"""What is remembered of a token: the ids of its n-grams, its first and its last word, how many
words it has, and how many of them are known."""


def _packed(ids: Sequence[int]) -> bytes:
    return np.array(ids, np.intp).tobytes()


_BELOW_ALL, _ABOVE_ALL = _packed([-1]), _packed([np.iinfo(np.intp).max])


def _clip(text: str) -> str:
    if len(text) <= MAX_CHARS:
        return text
    half = MAX_CHARS // 2
    return f"{text[:half]} {text[-half:]}"


def _tokens(text: str) -> list[str]:
    return _clip(text).lower().split()


def _char_grams(token: str) -> list[str]:
    """Return what scikit-learn's char_wb analyzer gives for one word, in its order."""
    padded = f" {token} "
    length = len(padded)
    grams: list[str] = []
    for size in range(_SHORTEST, _LONGEST + 1):
        if length <= size:
            grams.append(padded)
            break
        grams += [padded[at : at + size] for at in range(length - size + 1)]
    return grams


class Features(msgspec.Struct, frozen=True):
    """One text: `weights` of the n-grams `ids` (each once), `dense` static vectors (or empty).

    `words` is how many words the text has, `known` the share of them in the vocabulary.
    """

    ids: NDArray[np.intp]
    weights: NDArray[np.float32]
    dense: NDArray[np.float32]
    words: int
    known: float


class Matrix(msgspec.Struct, frozen=True):
    """Many texts: n-gram weights [rows, features], static vectors [rows, size], one row a text.

    `origin` is what was subtracted from the vectors, where something was.
    """

    sparse: "sparse.csr_matrix"
    dense: NDArray[np.float32]
    words: NDArray[np.int32]
    known: NDArray[np.float32]
    origin: NDArray[np.float32] | None = None

    def take(self, rows: NDArray[np.intp]) -> "Matrix":
        """Return some of the rows."""
        return Matrix(
            self.sparse[rows], self.dense[rows], self.words[rows], self.known[rows], self.origin
        )


class Vocabulary:
    """The n-grams of one block of text, with their inverse document frequencies.

    The ids are the places in `words`, then those in `chars` after the last word's.
    """

    def __init__(
        self, words: Sequence[str], chars: Sequence[str], idf: NDArray[np.float32]
    ) -> None:
        self.words = tuple(words)
        self.chars = tuple(chars)
        self.idf = idf
        self._ids = {gram: at for at, gram in enumerate(self.words)}
        self._char_ids = {gram: at for at, gram in enumerate(self.chars, len(self.words))}
        self._pairs = {
            tuple(gram.split(" ")): _packed([at]) for gram, at in self._ids.items() if " " in gram
        }
        self._seen: dict[str, _Token] = {}

    def __len__(self) -> int:
        return len(self.words) + len(self.chars)

    def _read(self, token: str) -> _Token:
        words = _WORD.findall(token)
        grams = [*words, *map(" ".join, pairwise(words))]
        ids = [at for gram in grams if (at := self._ids.get(gram)) is not None]
        known = sum(word in self._ids for word in words)
        ids += [at for gram in _char_grams(token) if (at := self._char_ids.get(gram)) is not None]
        first, last = (words[0], words[-1]) if words else ("", "")
        entry = _packed(ids), first, last, len(words), known
        if len(token) <= _REMEMBERED_LENGTH:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[token] = entry
        return entry

    def weigh(
        self, tokens: Iterable[str]
    ) -> tuple[NDArray[np.intp], NDArray[np.float32], int, int]:
        """Return (ids, weights, words, known words) of a text given as lower-case tokens."""
        seen, pairs = self._seen, self._pairs
        parts = [_BELOW_ALL]
        total = known = 0
        before = ""
        for token in tokens:
            grams, first, last, words, known_words = seen.get(token) or self._read(token)
            parts.append(grams)
            if words:
                total += words
                known += known_words
                pair = pairs.get((before, first))
                if pair is not None:
                    parts.append(pair)
                before = last
        parts.append(_ABOVE_ALL)
        # Bytes are joined six times as quickly as arrays are.
        found = np.frombuffer(bytearray().join(parts), np.intp)
        return (*self._scale(found), total, known)

    def _scale(self, found: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return each id of `found` once, with its weight; an id below all and one above all are
        its borders, and are left out."""
        found.sort()
        ends = (found[1:] != found[:-1]).nonzero()[0]
        counts = ends[1:] - ends[:-1]
        ids = found.take(ends[1:])  # `take` is twice as quick as indexing
        weights = _LOG_COUNT.take(counts)
        weights *= self.idf.take(ids)
        border = int(ids.searchsorted(len(self.words)))
        for part in (weights[:border], weights[border:]):
            length = math.sqrt(part.dot(part))
            if length:
                part /= length
        return ids, weights


def _most_common(counts: Counter[str], least: int, most: int) -> list[str]:
    kept = [gram for gram, count in counts.items() if count >= least]
    # Ties go to the alphabet, so that the same rows give the same bytes.
    kept.sort(key=lambda gram: (-counts[gram], gram))
    return sorted(kept[:most])


def _forget_rare(counts: Counter[str]) -> None:
    if len(counts) > _COUNTED:
        for gram in [gram for gram, count in counts.items() if count == 1]:
            del counts[gram]


def fit_vocabulary(texts: Sequence[str], most: int) -> Vocabulary:
    """Return the vocabulary of some training texts: at most `most` n-grams, two fifths words.

    From 500 texts on, an n-gram has to stand in two of them.
    """
    words: Counter[str] = Counter()
    chars: Counter[str] = Counter()
    grams_of: dict[str, frozenset[str]] = {}
    for text in texts:
        # A lone surrogate could not be written to a file.
        tokens = _tokens(text.encode("utf-8", "replace").decode("utf-8"))
        for token in tokens:
            if token not in grams_of:
                grams_of[token] = frozenset(_char_grams(token))
        found = [word for token in tokens for word in _WORD.findall(token)]
        words.update({*found, *map(" ".join, pairwise(found))})
        chars.update(frozenset().union(*(grams_of[token] for token in tokens)))
        _forget_rare(words)
        _forget_rare(chars)
    least = 2 if len(texts) >= _RARE_FROM_ROWS else 1
    kept_words = _most_common(words, least, most * 2 // 5)
    singles = {gram for gram in kept_words if " " not in gram}
    kept_words = [g for g in kept_words if all(word in singles for word in g.split(" "))]
    kept_chars = _most_common(chars, least, most - len(kept_words))
    frequency = [words[gram] for gram in kept_words] + [chars[gram] for gram in kept_chars]
    idf = np.log((1 + len(texts)) / (1 + np.array(frequency, np.float64))) + 1
    return Vocabulary(kept_words, kept_chars, idf.astype(np.float32))


def _last_turn(history: str) -> int:
    """Return where the last turn of a history begins."""
    return max(0, *(history.rfind(f"\n{role}: ") for role in _ROLES))


def blocks_of(given: Input) -> tuple[str, str]:
    """Return the two blocks that features tell apart: what was said last, and everything else.

    Said last are the last message and the turn before it, which is mostly the question that it
    answers: on conversations that is worth more than either the last message or the whole alone.
    Where nothing was said last, the first block is the rest, and there is no second.
    """
    if len(given) == 1:
        return given[0].text, ""
    history = "\n".join(segment.text for segment in given if segment.part == "history")
    turn = _last_turn(history)
    last = [segment.text for segment in given if segment.part == "user"]
    rest = [segment.text for segment in given if segment.part == "system"]
    if turn < len(history):
        last.append(history[turn:])
        rest.append(history[:turn])
    if not last:
        return "\n".join(rest), ""
    return "\n".join(last), "\n".join(rest).strip()


class Featurizer:
    """Turns inputs into features: one vocabulary for each block, and the static table if any.

    `origin` is what was subtracted from all dense vectors, where something was.
    """

    origin: NDArray[np.float32] | None = None

    def __init__(self, vocabularies: Sequence[Vocabulary], static: StaticTable | None) -> None:
        self.vocabularies = tuple(vocabularies)
        self.static = static
        sizes = [len(vocabulary) for vocabulary in self.vocabularies]
        self._offsets = [sum(sizes[:at]) for at in range(len(sizes))]
        self.size = sum(sizes)
        self.dense_size = len(sizes) * static.size if static else 0

    @classmethod
    def fit(cls, inputs: Sequence[Input], most: int, static: StaticTable | None) -> "Featurizer":
        """Return a featurizer for inputs like these: at most `most` n-grams in each block."""
        blocks = [blocks_of(given) for given in inputs]
        count = 2 if sum(bool(b) for _, b in blocks) > _CONTEXT_SHARE * len(blocks) else 1
        texts = [[block[at] for block in blocks] for at in range(count)]
        return cls([fit_vocabulary(column, most) for column in texts], static)

    def extract(self, given: Input) -> Features:
        """Return the features of one input; the hot path."""
        blocks = blocks_of(given)
        if len(self.vocabularies) == 1:
            # No second block was seen in training: whatever it holds is read with the first.
            text = f"{blocks[0]}\n{blocks[1]}" if blocks[1] else blocks[0]
            tokens = _tokens(text)
            ids, weights, words, known = self.vocabularies[0].weigh(tokens)
            dense = self.static.embed(tokens) if self.static else np.zeros(0, np.float32)
            return Features(ids, weights, dense, words, known / words if words else 0.0)
        return self._extract_blocks([_tokens(block) for block in blocks])

    def _extract_blocks(self, blocks: Sequence[Sequence[str]]) -> Features:
        found = [v.weigh(tokens) for v, tokens in zip(self.vocabularies, blocks, strict=True)]
        static = self.static
        words = sum(part[2] for part in found)
        return Features(
            np.concatenate([part[0] + at for part, at in zip(found, self._offsets, strict=True)]),
            np.concatenate([part[1] for part in found]),
            np.concatenate([static.embed(b) for b in blocks])
            if static
            else np.zeros(0, np.float32),
            words,
            sum(part[3] for part in found) / words if words else 0.0,
        )

    def matrix(self, inputs: Sequence[Input]) -> Matrix:
        """Return the features of many inputs."""
        rows = [self.extract(given) for given in inputs]
        # For training alone: it takes longer to load than all the rest.
        from scipy import sparse

        ends = np.cumsum([0, *(len(row.ids) for row in rows)])
        values = np.concatenate([row.weights for row in rows])
        indices = np.concatenate([row.ids for row in rows]).astype(np.int32)
        return Matrix(
            sparse.csr_matrix((values, indices, ends), shape=(len(rows), self.size)),
            np.array([row.dense for row in rows], np.float32).reshape(len(rows), self.dense_size),
            np.array([row.words for row in rows], np.int32),
            np.array([row.known for row in rows], np.float32),
            self.origin,
        )
