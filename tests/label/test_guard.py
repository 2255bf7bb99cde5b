"""What is left out of a dataset is counted, told and never of its held-out parts."""

from collections import Counter

import msgspec
from tests.label.poisoned import ANATOMY, clean, planted

from stepdown.core.calls import Answer, Call, Message, Request
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.label import build_dataset, load_dataset, save_dataset
from stepdown.label.guard import Guard, guarded

TASK = Task("t-1", "routing", Signature(), ANATOMY, Verdict("distil"))


def calls(examples):
    for one in examples:
        request = Request("m", (Message("user", one.input[0].text),))
        yield Call(one.id, request, Answer(one.record[""]), "m", by={"user": one.source})


def test_s18_a_dataset_leaves_out_what_was_planted_and_what_is_too_much(figure):
    flood = [
        msgspec.structs.replace(one, id=f"f{one.id}", source="user-flood")
        for one in clean(600, seed=9)
    ]
    rows = [*clean(3000), *planted(60, 2), *flood]
    dataset = build_dataset(TASK, calls(rows), budget=0.05)
    train = Counter(one.source for one in dataset.part("train"))
    report = dataset.report
    assert max(train.values()) <= 0.005 * train.total()
    assert report.dropped_capped > 300
    assert report.dropped_quarantined == len(dataset.quarantined) >= 35
    assert report.train == train.total()
    assert report.sources == len(train) + 2  # what the two who planted had is gone
    assert any("look planted and were left out" in note for note in report.notes)
    assert any("no user may have more than 0.5%" in note for note in report.notes)
    assert load_dataset(save_dataset(dataset)) == dataset
    figure(f"the largest of {len(train)} users has {max(train.values())} of {train.total()} rows")

    bare = build_dataset(
        TASK, calls(rows), budget=0.05, guard=Guard(source_share=1.0, quarantine=False)
    )
    assert (bare.report.dropped_capped, bare.quarantined) == (0, ())
    held = ("calibration", "test")
    assert [bare.part(part) for part in held] == [dataset.part(part) for part in held]


def test_what_people_judged_is_above_suspicion():
    rows = tuple([*clean(2000), *planted(40, 2)])
    found = guarded(rows, ANATOMY, Guard(source_share=1.0), {"p0", "p1"})
    assert {one.id for one in found.examples} >= {"p0", "p1"}
    assert "p2" not in {one.id for one in found.examples}


def test_rows_that_name_nobody_are_told_of():
    rows = [*clean(1000), *(msgspec.structs.replace(r, id=f"n{r.id}", source="") for r in clean(9))]
    found = guarded(rows, ANATOMY, Guard())
    assert "9 training rows name no source, so no cap holds for them." in found.notes
    assert guarded(rows[1000:], ANATOMY, Guard()).notes == ()
