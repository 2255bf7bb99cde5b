"""The novelty gate on clinc150's whole test traffic, on odd inputs, and on labels that are new."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from stepdown import plugins
from stepdown.cli.bench import students as on
from stepdown.cli.bench.figures import Figure
from stepdown.cli.sets import read_set
from stepdown.core.datasets import Example
from stepdown.core.ports import Progress, Student
from stepdown.core.proofs import Certificate
from stepdown.core.stats import cp_interval
from stepdown.core.tasks import Segment, Task
from stepdown.errors import PluginError, Unavailable
from stepdown.prove.certify import certify
from stepdown.prove.contract import ProofTerms
from stepdown.prove.novelty import gated, refused
from stepdown.prove.outcomes import Outcome, answer

__all__ = ["novelty"]

FAMILIES = ("linear", "encoder")
STRANGERS = "oos"
"""clinc150's label of requests that no other label is for."""

SETTING = 0.12
"""`novelty` for a task that meets many strangers: the least of 0.02, 0.03, … at which the linear
and the encoder student, whose training had none, answered at most 5 % of the 200 strangers of the
training and validation parts with 95 % confidence (4 of them or fewer), and stayed within 2.5 %
joint risk on 18 % strangers."""

SHARES = (0.02, 0.05, 0.08)
"""Other shares that the gate may refuse, for comparison."""

_LONG = 100_000
_DOCUMENTS = 100
_NEW_LABELS = 20
_HELD_OUT = 3000

# fmt: off
LANGUAGES = {
    "French": ("quel temps fera-t-il demain à paris", "combien d'argent ai-je sur mon compte",
               "réserve une table pour deux ce soir", "rappelle-moi d'appeler ma mère"),
    "German": ("wie wird das wetter morgen in berlin", "wie viel geld ist auf meinem konto",
               "reserviere einen tisch für zwei heute abend", "erinnere mich an den zahnarzt"),
    "Spanish": ("qué tiempo hará mañana en madrid", "cuánto dinero tengo en mi cuenta",
                "reserva una mesa para dos esta noche", "recuérdame llamar a mi madre"),
    "Malay": ("bagaimana cuaca esok di ipoh", "berapa baki akaun saya sekarang",
              "tempah meja untuk dua orang malam ini", "ingatkan saya untuk telefon ibu"),
    "Turkish": ("yarın istanbul'da hava nasıl olacak", "hesabımda ne kadar para var",
                "bu akşam iki kişilik masa ayırt", "annemi aramamı hatırlat"),
    "Russian": ("какая завтра погода в москве", "сколько денег у меня на счёте",
                "забронируй столик на двоих", "напомни мне позвонить маме"),
    "Arabic": ("كيف سيكون الطقس غدا", "كم المال في حسابي",
               "احجز طاولة لشخصين", "ذكرني بالاتصال بأمي"),
    "Chinese": ("明天北京天气怎么样", "我的账户里有多少钱",
                "今晚订一张两人桌", "提醒我给妈妈打电话"),
}
# fmt: on


class Sets(msgspec.Struct, frozen=True):
    """clinc150 as it is used here: who trains, who certifies, and the whole test part."""

    train: list[Example]
    calibration: list[Example]
    inside: list[Example]
    outside: list[Example]


class Met(msgspec.Struct, frozen=True):
    """What a student says to the rows that certify, and to both kinds of test rows."""

    calibration: Sequence[Outcome]
    inside: Sequence[Outcome]
    outside: Sequence[Outcome]


def novelty(data: Path, progress: Progress) -> Sequence[Figure]:
    """Train, certify with the gate, and meet what no label is for.

    The validation part certifies, whose writers are others than training's, as the test part's are;
    of its out-of-scope requests as many stay as make up the share that training has of them. A
    family whose extra or weights are not there is left out.
    """
    rows = on.labels(data, "clinc150")
    task = on.task_of("clinc150", [row for row in rows if row.split == "train"])
    sets = _sets(on.examples_of(task, rows), [row.split for row in rows])
    odd = _odd_inputs(data, sets)
    later = _later(data)
    figures: list[Figure] = []
    for name in FAMILIES:
        try:
            student = plugins.family(name).train(task, sets.train, progress)
        except (PluginError, Unavailable) as error:
            progress(f"{name} is left out: {error}", 1, 1)
            continue
        met = Met(*(answer(student, p) for p in (sets.calibration, sets.inside, sets.outside)))
        certificate = _certified(met)
        figures += _measured(name, met, certificate)
        figures += [_at_share(name, met, share) for share in SHARES]
        figures += _caught(name, student, certificate, odd)
        figures.append(_new_labels(name, *later, progress))
    return figures


def _sets(examples: Sequence[Example], splits: Sequence[str]) -> Sets:
    parts: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
    for example, split in zip(examples, splits, strict=True):
        parts[split].append(example)
    train = parts["train"]
    inside, outside = _apart(parts["validation"])
    strangers = len(_apart(train)[1]) / len(train)
    kept = round(strangers / (1 - strangers) * len(inside))
    return Sets(train, [*inside, *outside[:kept]], *_apart(parts["test"]))


def _apart(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Return the examples that a label is for, and the others."""
    inside = [example for example in examples if example.record[""] != STRANGERS]
    return inside, [example for example in examples if example.record[""] == STRANGERS]


def _certified(met: Met, share: float = SETTING) -> Certificate:
    terms = ProofTerms(budget=on.BUDGET, confidence=1 - on.DELTA, novelty=share)
    return certify(met.calibration, terms)


def _answered(
    rows: Sequence[Outcome], certificate: Certificate, gate: bool = True
) -> Sequence[Outcome]:
    """Return the rows that are answered, behind the gate or without it."""
    if certificate.threshold is None:
        return []
    behind = gated(rows, certificate.novelty_cutoff) if gate else rows
    return [row for row in behind if row.score >= certificate.threshold]


def _measured(name: str, met: Met, certificate: Certificate) -> list[Figure]:
    inside, outside = met.inside, met.outside
    everything = [*inside, *outside]
    taken, free = (_answered(everything, certificate, gate) for gate in (True, False))
    strangers = _answered(outside, certificate)
    mistaken = sum(not row.agrees for row in strangers)
    right = sum(row.agrees for row in inside)
    rows = len(everything)
    set_so = f"{name}, novelty = {SETTING:g}, joint 2 %"
    return [
        Figure(
            f"{name}: in-scope accuracy, %", f"{right / len(inside):.2%}", 100 * right / len(inside)
        ),
        Figure(
            f"{set_so}: of the out-of-scope requests, answered with a label, %",
            f"{mistaken / len(outside):.1%}",
            100 * mistaken / len(outside),
            5,
            True,
            note=f"{len(strangers):,} of {len(outside):,} are answered at all: the others of them "
            f"rightly, with “{STRANGERS}”",
        ),
        _wrong(f"{set_so}: whole test traffic answered differently, %",
               taken, rows, 2.5),
        _wrong(f"{name}, no gate: whole test traffic answered differently, %", free, rows),
        Figure(
            f"{set_so}: whole test traffic answered, %",
            f"{len(taken) / rows:.1%}",
            100 * len(taken) / rows,
            note=f"{len(_answered(inside, certificate)) / len(inside):.1%} of what a label is for; "
            f"without the gate {len(free) / rows:.1%} of all",
        ),
        Figure(
            f"{name}: coverage that the gate costs on the calibration rows, points",
            f"{100 * certificate.novelty_cost:.2f}",
            100 * certificate.novelty_cost,
            note=f"it refuses {certificate.novelty_refused:.1%} of {certificate.rows:,} rows",
        ),
    ]  # fmt: skip


def _at_share(name: str, met: Met, share: float) -> Figure:
    """Return what another setting of the gate would do."""
    certificate = _certified(met, share)
    outside, everything = met.outside, [*met.inside, *met.outside]
    mistaken = sum(not row.agrees for row in _answered(outside, certificate))
    taken = _answered(everything, certificate)
    wrong = sum(not row.agrees for row in taken) / len(everything)
    return Figure(
        f"{name}, novelty = {share:g}: of the out-of-scope requests, answered with a label, %",
        f"{mistaken / len(outside):.1%}",
        100 * mistaken / len(outside),
        note=f"of the whole traffic {len(taken) / len(everything):.1%} answered, {wrong:.2%} "
        "differently",
    )


def _wrong(name: str, taken: Sequence[Outcome], rows: int, target: float | None = None) -> Figure:
    wrong = sum(not row.agrees for row in taken)
    low, high = cp_interval(wrong, rows, 0.95)
    return Figure(
        name,
        f"{wrong / rows:.2%}",
        100 * wrong / rows,
        target,
        True,
        spread=f"95 %: {low:.2%} to {high:.2%}",
    )


def _odd_inputs(data: Path, sets: Sets) -> Mapping[str, list[str]]:
    """Return inputs that no label is for, by kind; each kind is made the same way every time."""
    documents = [str(row["text"]) for row in read_set(data, "cuad/contracts", "test")]
    requests = [example.input[0].text for example in sets.inside[:_DOCUMENTS]]
    chance = random.Random(0)
    noise = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz     0123456789", k=_LONG))
    return {
        f"in {len(LANGUAGES)} other languages": [t for said in LANGUAGES.values() for t in said],
        "a pasted contract": documents[:_DOCUMENTS],
        "a request with a contract pasted below": [
            f"{request}\n\n{document}"
            for request, document in zip(requests, documents, strict=False)
        ],
        "empty or blank": ["", " ", "\n\n", "\t \u00a0"],
        "100,000 characters": [
            "a" * _LONG,
            noise,
            *((f"{request} " * _LONG)[:_LONG] for request in requests[:8]),
        ],
    }


def _caught(
    name: str, student: Student, certificate: Certificate, odd: Mapping[str, list[str]]
) -> list[Figure]:
    figures: list[Figure] = []
    for kind, texts in odd.items():
        given = [Example("", (Segment("user", text),), {}, known=False) for text in texts]
        rows = answer(student, given)
        share = sum(refused(row, certificate.novelty_cutoff) for row in rows) / len(rows)
        figures.append(
            Figure(
                f"{name}, refused as novel: {kind}, %",
                f"{share:.0%}",
                100 * share,
                note=f"{len(_answered(rows, certificate)):,} of {len(rows):,} answered",
            )
        )
    return figures


def _later(data: Path) -> tuple[Task, Sets]:
    """Return Banking77 as if 20 of its labels, drawn by chance, came up after training."""
    rows = [row for row in on.labels(data, "banking77") if row.split == "train"]
    labels = sorted({row.answer.text or "" for row in rows})
    new = set(random.Random(0).sample(labels, min(_NEW_LABELS, len(labels) // 4)))
    old = [row for row in rows if row.answer.text not in new]
    task = on.task_of("banking77", old)
    rest, aside = on.split_off(on.examples_of(task, old), min(_HELD_OUT, len(old) // 2))
    half = len(aside) // 2
    strangers = on.examples_of(task, [row for row in rows if row.answer.text in new])
    return task, Sets(rest, aside[:half], aside[half:], strangers)


def _new_labels(name: str, task: Task, sets: Sets, progress: Progress) -> Figure:
    student = plugins.family(name).train(task, sets.train, progress)
    met = Met(*(answer(student, p) for p in (sets.calibration, sets.inside, sets.outside)))
    certificate = _certified(met)
    behind, free = (len(_answered(met.outside, certificate, gate)) for gate in (True, False))
    rows = len(met.outside)
    return Figure(
        f"{name}, Banking77, requests of labels that came up after training, answered, %",
        f"{behind / rows:.1%}",
        100 * behind / rows,
        note=f"without the gate {free / rows:.1%}; of the others "
        f"{len(_answered(met.inside, certificate)) / len(met.inside):.1%}",
    )
