"""The mix has every row once, behind one of three templates, and its seed decides all of it."""

from collections import Counter

from tests.cli.bench.small import dialogues, labelled, write_set

from stepdown.cli.bench.mix import INSTRUCTIONS, mix


def test_every_row_once_with_its_truth(tmp_path):
    for name in INSTRUCTIONS:
        rows = dialogues(12) if name in ("sgd_calls", "bfcl") else labelled(12)
        write_set(tmp_path, name, rows)
    made = mix(tmp_path, 3)
    assert len(made) == 12 * len(INSTRUCTIONS)
    assert len({call.id for call, _ in made}) == len(made)
    sets = Counter(truth.split("-")[0] for _, truth in made)
    assert set(sets) == set(INSTRUCTIONS)
    again = [(call.request, truth) for call, truth in mix(tmp_path, 3)]
    assert [(call.request, truth) for call, truth in made] == again
