"""What benchmarks share: judging, certifying, counting violations."""

import numpy as np

from stepdown.cli.bench import students as on
from stepdown.core.calls import Answer


def judged(count, error, seed=0):
    random = np.random.default_rng(seed)
    scores = random.random(count)
    return on.Judged(scores, random.random(count) < error * (1 - scores))


def test_a_certificate_keeps_the_budget_on_easy_rows():
    got = on.certify(judged(3000, 0.1), judged(3000, 0.1, 1))
    assert got.answered > 0.2
    assert got.risk < 0.04
    assert on.certify(judged(50, 0.1), judged(50, 0.1)) == on.Coverage(0.0, 0.0)


def test_violations_are_about_as_rare_as_promised():
    broken, covered = on.violations(judged(6000, 0.2), 2000, 100)
    assert broken <= 15
    assert covered > 0


def test_the_rest_goes_over_oftener_than_the_whole():
    pool = judged(6000, 0.2)
    whole, _ = on.violations(pool, 2000, 400)
    rest, covered = on.violations_on_rest(pool, 2000, 400)
    assert rest >= whole
    assert covered > 0


def test_accuracy_counts_an_abstention_as_wrong():
    made = on.Judged(np.array([0.9, -1.0, 0.5]), np.array([False, False, True]))
    assert np.isclose(on.accuracy(made), 1 / 3)


def test_rows_become_a_task_and_examples():
    rows = [on.Row(str(n), "", f"text {n}", Answer(text="ab"[n % 2]), "train") for n in range(60)]
    task = on.task_of("t", rows)
    examples = on.examples_of(task, rows)
    assert task.anatomy.shape == "text"
    assert examples[1].record == {"": "b"}
    rest, aside = on.split_off(examples, 10)
    assert len(rest) == 50
    assert {e.id for e in rest} | {e.id for e in aside} == {str(n) for n in range(60)}
