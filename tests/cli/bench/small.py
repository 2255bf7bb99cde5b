"""Small made-up data sets in the public sets' row forms, for benchmarks to run on."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard
from tests.cli.story import FILLER, TOPICS

CITIES = ["Paris", "Oslo", "Lima", "Quito", "Cairo", "Delhi", "Seoul", "Turin"]


def write_set(data: Path, name: str, rows):
    """Write one set as `<folder>/<file>.jsonl.zst`."""
    folder, _, file = name.partition("/")
    path = data / folder / f"{file or folder}.jsonl.zst"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(zstandard.ZstdCompressor().compress(text.encode()))


def labelled(count, seed=0):
    """Utterances of twelve words or so, with their topic."""
    pick = random.Random(seed)
    for at in range(count):
        label = pick.choice(sorted(TOPICS))
        words = pick.sample(TOPICS[label].split(), 3) + [pick.choice(FILLER) for _ in range(9)]
        pick.shuffle(words)
        split = "test" if at % 4 == 0 else "train"
        yield {"id": f"x-{at}", "text": " ".join(words), "label": label, "split": split}


def booked(count, seed=0, fields=("from", "to")) -> Iterator[dict[str, Any]]:
    """Trips with their two cities as fields."""
    pick = random.Random(seed)
    for at in range(count):
        here, there = pick.sample(CITIES, 2)
        text = f"{pick.choice(FILLER)} go from {here} to {there} {pick.choice(FILLER)}"
        values = dict(zip(fields, (here, there), strict=True))
        yield {
            "id": f"b-{at}",
            "text": text,
            "label": "Travel" if at % 2 else "Commute",
            "fields": {name: [value] for name, value in values.items()},
            "split": "test" if at % 4 == 0 else "train",
            "domain": "Trips_1",
            "context": {"requested_slots": ["to"]},
        }


def dialogues(count):
    """Two-turn dialogues that end in one call of the only tool."""
    tool = {
        "name": "Book",
        "description": "Book a trip.",
        "parameters": {"type": "object", "properties": {"to": {"type": "string"}}},
    }
    pick = random.Random(1)
    for at in range(count):
        city = pick.choice(CITIES)
        yield {
            "id": f"d-{at}",
            "services": ["Trips_1"],
            "messages": [
                {"role": "system", "content": "Today is Friday."},
                {"role": "user", "content": "I want to travel"},
                {"role": "assistant", "content": "Where to?"},
                {"role": "user", "content": f"to {city} {pick.choice(FILLER)}"},
            ],
            "tools": [{"type": "function", "function": tool}],
            "expected": [{"name": "Book", "arguments": {"to": [city]}, "optional": []}],
            "split": "validation" if at % 4 == 0 else "train",
        }
