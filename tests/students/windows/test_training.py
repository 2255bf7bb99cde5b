"""Windows are learnt from values alone, and training rows are condensed by held-out scorers."""

from tests.students.windows.contracts import FIELDS, make_contracts, write_contract

from stepdown.core.anatomy import Field
from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment, input_text
from stepdown.students.windows.marks import field_letters, regions
from stepdown.students.windows.training import fit_windows, is_long


def test_short_inputs_need_no_windows():
    examples = [Example(f"e{at}", (Segment("user", "short"),), {"/law": "x"}) for at in range(30)]
    assert not is_long(examples)
    assert fit_windows(FIELDS, examples) is None


def test_nothing_is_learnt_where_values_stand_nowhere(contracts):
    assert fit_windows((Field("/other", "free"),), contracts) is None


def test_constants_are_not_sought(condensed):
    assert condensed.model.paths == ("/law", "/date")


def test_every_example_is_condensed_and_keeps_its_answer(contracts, condensed):
    assert [e.record for e in condensed.examples] == [e.record for e in contracts]
    assert [e.id for e in condensed.examples] == [e.id for e in contracts]
    assert all(len(input_text(e.input)) < 6000 for e in condensed.examples)


def test_of_several_places_the_one_that_was_meant_is_found(condensed):
    letters = field_letters("/law")
    right = 0
    for example in condensed.examples:
        text = input_text(example.input)
        best = [r for r in regions(text) if any(m[:5] == f"{letters}a" for m in r.marks)]
        right += any("governed by the laws" in text[r.start : r.end] for r in best)
    assert right >= 38


def test_the_same_rows_give_the_same_model(contracts, condensed):
    again = fit_windows(FIELDS, contracts)
    assert again.examples == condensed.examples
    assert again.model.grams.names == condensed.model.grams.names
    assert again.model.weights.tobytes() == condensed.model.weights.tobytes()


def test_progress_is_told(contracts):
    told = []
    fit_windows(FIELDS, contracts[:24], lambda *step: told.append(step))
    assert told[-1] == ("windows", 10, 10)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_rows_of_another_shape_and_lists_are_taken_as_they_are():
    examples = make_contracts(24, first=500)
    examples[0] = Example("odd", examples[0].input, {}, known=False)
    text, state, day = write_contract(501)
    both = {"/law": [state, None], "/date": day}
    examples[1] = Example("list", (Segment("user", text),), both)
    found = fit_windows(FIELDS, examples)
    assert len(found.examples) == 24 and found.examples[0].record == {}
