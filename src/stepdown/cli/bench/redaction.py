"""What the redactor finds, class by class, and what it takes for a secret that is none.

The texts are made from patterns (`redaction.toml`) and a seed: what is to be found stands in them
by construction, also the classes that no form can know.
"""

import base64
import json
import random
import re
import string
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from stepdown.cli.bench.figures import Figure
from stepdown.cli.sets import read_set
from stepdown.core.ports import Progress
from stepdown.core.redaction import KINDS, Redactor, redactor

__all__ = ["classes", "made", "redaction"]

REGIONS = ("US", "GB", "DE", "FR", "NL", "IN", "BR")
_EACH = 200
_ANY = {
    "#": string.digits,
    "*": string.ascii_letters + string.digits,
    "^": string.ascii_uppercase,
    "~": "0123456789abcdef",
}
_TIMES = re.compile(r"(.)\{(\d+)\}")
_FRAMES = (
    "{}",
    "Please note {} for me.",
    "It was {}, thanks!",
    "see:\n{}\nand answer",
    '{{"v": "{}"}}',
)


def classes() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Return the patterns of each class, by kind."""
    return tomllib.loads(files("stepdown.cli.bench").joinpath("redaction.toml").read_text("utf-8"))


def made(pattern: str, pick: random.Random) -> str:
    """Return a text of that pattern; its first lines say how they are written."""
    way, colon, rest = pattern.partition(":")
    if colon and way in ("base64", "spelt", "low"):
        text = made(rest, pick)
        if way == "base64":
            return base64.b64encode(text.encode()).decode()
        return text.lower() if way == "low" else "".join(f"\\u{ord(one):04x}" for one in text)
    if colon and way in ("luhn", "iban"):
        return _checked(way, _filled(rest, pick))
    if re.fullmatch(r"[a-z_]+\.[a-z]+", way) and colon:
        known = import_module(f"stdnum.{way}")
        return next(text for text in iter(lambda: _filled(rest, pick), "") if known.is_valid(text))
    return _filled(pattern, pick)


def _filled(pattern: str, pick: random.Random) -> str:
    pattern = _TIMES.sub(lambda found: found[1] * int(found[2]), pattern)
    return "".join(pick.choice(_ANY[one]) if one in _ANY else one for one in pattern)


def _checked(way: str, text: str) -> str:
    """Put the check digits in the place of "!"."""
    if way == "iban":
        plain = text.replace(" ", "")
        number = "".join(str(int(one, 36)) for one in f"{plain[4:]}{plain[:2]}00")
        return text.replace("!!", f"{98 - int(number) % 97:02}")
    digits = [int(one) for one in text if one.isdigit()]
    doubled = [one * (2 - at % 2) for at, one in enumerate(digits[::-1])]
    return text.replace("!", str(-sum(one - 9 * (one > 9) for one in doubled) % 10))


def _texts(patterns: Sequence[str], seed: str) -> Iterator[tuple[str, str]]:
    """Yield what is hidden, and a text that holds it."""
    pick = random.Random(f"redaction {seed}")
    for _ in range(_EACH):
        secret = made(pick.choice(patterns), pick)
        yield secret, pick.choice(_FRAMES).format(secret)


def _left(clean: Redactor, secret: str, text: str) -> bool:
    """Say whether what was hidden can still be read."""
    line = json.dumps({"text": text}, ensure_ascii=False).encode()
    if secret.startswith("\\u"):
        line = line.replace(b"\\\\u", b"\\u")
        secret = json.loads(f'"{secret}"')
    return secret.strip() in json.loads(clean.clean(line))["text"]


def redaction(data: Path, progress: Progress) -> Sequence[Figure]:
    """Redact made texts with the kind that is to find them, ordinary and real ones with each."""
    figures: list[Figure] = []
    every = {kind: redactor([kind], regions=REGIONS) for kind in KINDS}
    corpus = dict(classes())
    ordinary = corpus.pop("ordinary")
    for kind, named in corpus.items():
        clean = every.get(kind) or redactor(KINDS, regions=REGIONS)
        for name, patterns in named.items():
            found = sum(not _left(clean, *one) for one in _texts(patterns, name))
            share, told = found / _EACH, f"{found} of {_EACH}"
            figures.append(Figure(f"{kind}: {name}, found", f"{share:.1%}", share, note=told))
    for name, patterns in ordinary.items():
        texts = [text for _, text in _texts(patterns, name)]
        figures.append(_taken(f"taken though ordinary: {name}", texts, every))
    real = [row["text"] for row in read_set(data, "banking77", "train")]
    figures.append(_taken("taken of Banking77's questions", real, every))
    return figures


def _taken(name: str, texts: Sequence[str], every: Mapping[str, Redactor]) -> Figure:
    lines = [json.dumps({"text": text}).encode() for text in texts]
    by = {kind: sum(clean.clean(line) != line for line in lines) for kind, clean in every.items()}
    told = ", ".join(f"{kind} {count}" for kind, count in by.items() if count) or "by no kind"
    worst = max(by.values()) / len(lines)
    return Figure(name, f"{worst:.2%}", worst, note=f"{told} of {len(lines):,}")
