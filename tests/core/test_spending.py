"""Spend over time and by name."""

from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.anatomy import Anatomy
from stepdown.core.audits import AuditReport
from stepdown.core.spending import Week, by_name, replaced, weeks
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.core.templates import Template

DAY = 86_400.0
OLD = "You route the tickets of our customers. Name one of these queues."
NEW = "You route the tickets of our dear customers. Name exactly one of these queues."


def task(name, words="x", span=(0.0, 1.0), **more):
    signature = Signature(system=Template((words,)))
    anatomy = Anatomy("text", (), 1, 1.0, 1.0)
    first, last = (day * DAY for day in span)
    return Task(
        name, name, signature, anatomy, Verdict("distil"), first_time=first, last_time=last, **more
    )


def test_names_of_all_tasks_together():
    tasks = (
        task("a", spend_by={"team": {"care": 1.0, "sales": 2.0}}),
        task("b", spend_by={"team": {"care": 3.0}, "key": {"ci": 1.0}}),
    )
    report = AuditReport(tasks, (), 2)
    assert by_name(report, "team") == [("care", 4.0), ("sales", 2.0)]
    assert by_name(report, "code") == []


@given(st.dictionaries(st.integers(0, 300), st.integers(0, 9)))
def test_weeks_hold_every_call_and_leave_none_out(daily):
    days = tuple((day, calls, 1.0) for day, calls in daily.items())
    found = weeks([task("a", daily=days)])
    assert sum(week.calls for week in found) == sum(daily.values())
    assert all(week.day % 7 == 4 for week in found)
    began = [week.day for week in found]
    assert began == list(range(began[0], began[-1] + 1, 7)) if began else not daily


def test_a_week_without_a_call_is_one_with_none():
    found = weeks([task("a", daily=((4, 1, 1.0), (18, 2, 0.5)))])
    assert found == [Week(4, 1, 1.0), Week(11, 0, 0.0), Week(18, 2, 0.5)]


def test_a_prompt_that_gave_way_to_a_similar_one():
    tasks = [
        task("old", OLD, (0, 10)),
        task("new", NEW, (10, 20)),
        task("other", "Summarise the meeting for those who were away.", (10, 20)),
    ]
    (found,) = replaced(tasks)
    assert (found.old, found.new, found.day) == ("old", "new", 10)


def test_two_that_run_side_by_side_are_two():
    assert replaced([task("a", OLD, (0, 20)), task("b", NEW, (5, 25))]) == []
    assert replaced([task("a", OLD, (5, 9)), task("b", NEW, (5, 9))]) == []
