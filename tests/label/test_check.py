"""The recount finds what a careless split leaves on both sides."""

from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment
from stepdown.label.check import check_split


def example(name, text, split, **other):
    return Example(name, (Segment("user", text),), {}, split=split, **other)


def test_everything_planted_is_counted():
    report = check_split(
        [
            example("a", "where is my card, please", "train", group="u1", time=5.0),
            example("b", "Where  is my CARD, please", "calibration", group="u2", time=1.0),
            example("c", "where is my card, pleas?", "test", group="u1", time=3.0),
            example("d", "an altogether different matter", "test", group="u3", time=9.0),
        ],
        0.7,
    )
    assert (report.train, report.calibration, report.test) == (1, 1, 2)
    assert report.shared_inputs == 1
    assert report.shared_clusters == 2
    assert report.shared_groups == 1
    assert report.groups == 3
    assert not report.by_time
    assert report.largest_group == 0.5


def test_a_cluster_on_two_sides_counts_even_where_texts_differ():
    rows = [
        example("a", "alpha beta gamma", "train", cluster="1"),
        example("b", "one two three four", "test", cluster="1"),
    ]
    assert check_split(rows, 1.0).shared_clusters == check_split(rows).shared_clusters == 1


def test_a_clean_split_is_all_zeros():
    report = check_split(
        [
            example("a", "alpha beta gamma", "train", group="u1", time=1.0),
            example("b", "delta epsilon zeta", "calibration", group="u2", time=2.0),
            example("c", "eta theta iota", "test", group="u3", time=3.0),
        ]
    )
    assert (report.shared_inputs, report.shared_clusters, report.shared_groups) == (0, 0, 0)
    assert report.by_time


def test_one_group_for_all_is_no_group():
    rows = [
        example(str(at), f"text {at}", part, group="app")
        for at, part in enumerate(("train", "test"))
    ]
    assert check_split(rows, 1.0).shared_groups == 0
