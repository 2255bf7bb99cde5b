"""Labels that differ in case or space alone become one; what is copied from the input does not."""

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.label.spelling import merge_spellings


def rows(path, values):
    return [Example(str(at), (), {path: value}) for at, value in enumerate(values)]


def anatomy(*fields):
    return Anatomy("json", fields, 1, 1.0, 1.0)


def test_the_most_frequent_spelling_is_kept():
    examples = rows("/label", ["Billing", "billing", "Billing", " BILLING ", "cards", None, 3])
    merged, table = merge_spellings(examples, anatomy(Field("/label", "choice")))
    kept = [example.record["/label"] for example in merged]
    assert kept == ["Billing"] * 4 + ["cards", None, 3]
    assert table == {"billing": "Billing", " BILLING ": "Billing"}


def test_of_equally_frequent_ones_the_order_of_the_log_does_not_decide():
    one = merge_spellings(rows("", ["a", "A "]), anatomy(Field("", "choice")))[1]
    other = merge_spellings(rows("", ["A ", "a"]), anatomy(Field("", "choice")))[1]
    assert one == other == {"A ": "a"}


def test_a_copied_fields_case_is_content():
    examples = rows("/name", ["Ann", "ANN"])
    assert merge_spellings(examples, anatomy(Field("/name", "copy"))) == (examples, {})
