"""The extraction benchmarks measure what they say, on small sets."""

from tests.cli.bench.small import booked, write_set

from stepdown.cli.bench import extraction
from stepdown.core.ports import silent


def test_spans_are_scored_by_domain(tmp_path):
    write_set(tmp_path, "dstc8_spans", booked(200))
    (figure,) = extraction.spans(tmp_path, silent)
    assert figure.number > 0.9
    assert "Trips" in figure.spread


def test_receipts_count_all_fields_together(tmp_path):
    rows = [
        row | {"fields": {name: values[0] for name, values in row["fields"].items()}}
        for row in booked(240)
    ]
    write_set(tmp_path, "sroie", rows)
    figures = {figure.name: figure.number for figure in extraction.receipts(tmp_path, silent)}
    whole = figures["SROIE, all four fields right, %"]
    assert whole > 80
    assert whole <= min(figures["SROIE, from, %"], figures["SROIE, to, %"])


def test_letters_and_digits_alone_count():
    assert extraction._letters("A-1 b.") == extraction._letters("a1B")
    assert extraction._letters(None) == ""
