"""Whether a slot's value goes with other data: then it names the task, and is no mere parameter."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from stepdown.audit.tokens import mask, tokens

__all__ = ["depends"]

_CHARS = 600  # characters of each text that are compared
_VOCABULARY = 200
_LEAST_SHARE, _MOST_SHARE = 0.02, 0.7  # of the texts that a compared word stands in
_RATIO = 3.0  # chi-squared over its degrees of freedom: 1 when independent
_EFFECT = 0.04  # Cramér's V² of the words that tell most: 0 when independent, 1 when fixed
_TELLING = 10


def depends(values: Sequence[str], texts: Sequence[str]) -> bool:
    """Say whether the words of `texts` differ by the value beside them, and by much.

    Pearson's chi-squared test of each frequent word's presence against the values, summed; and
    Cramér's V² (Cramér 1946, §21.9) of the most telling words, so that a slight difference does not
    count however many texts there are. Words of the values themselves are left out.
    """
    own = {mask(token).strip() for value in set(values) for token in tokens(value)}
    said = [{mask(token).strip() for token in tokens(text[:_CHARS])} - own for text in texts]
    counts = Counter(word for words in said for word in words)
    total = len(texts)
    vocabulary = [
        word
        for word, count in counts.most_common(2 * _VOCABULARY)
        if _LEAST_SHARE * total <= count <= _MOST_SHARE * total and word[:1].isalpha()
    ][:_VOCABULARY]
    kinds = {value: at for at, value in enumerate(dict.fromkeys(values))}
    if len(vocabulary) < _TELLING or len(kinds) < 2:
        return False
    columns = {word: at for at, word in enumerate(vocabulary)}
    seen = np.zeros((len(kinds), len(vocabulary)))
    for value, words in zip(values, said, strict=True):
        seen[kinds[value], [columns[word] for word in words if word in columns]] += 1
    sizes = np.array([Counter(values)[value] for value in kinds], dtype=float)
    share = seen.sum(axis=0) / total
    expected = np.outer(sizes, share)
    chi_squared = ((seen - expected) ** 2 / (expected * (1 - share))).sum(axis=0)
    freedom = len(kinds) - 1
    effect = np.sort(chi_squared / (total * freedom))[-_TELLING:].mean()
    return bool(chi_squared.mean() / freedom >= _RATIO and effect >= _EFFECT)
