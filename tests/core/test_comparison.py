"""Two audits."""

from stepdown.core.anatomy import Anatomy
from stepdown.core.audits import AuditReport
from stepdown.core.comparison import compare
from stepdown.core.tasks import Signature, Task, Verdict

DAY = 86_400.0


def task(name, month, calls=100, decision="distil", bound=1.0, days=10.0):
    anatomy = Anatomy("text", (), 5, bound, bound)
    return Task(
        name,
        name,
        Signature(),
        anatomy,
        Verdict(decision),
        calls=calls,
        first_time=0.0,
        last_time=days * DAY,
        spend_usd_month=month,
    )


def test_what_came_went_and_grew_the_largest_change_first():
    old = AuditReport((task("kept", 10.0), task("gone", 5.0)), (), 200)
    new = AuditReport((task("kept", 30.0, 400, "more data", 0.5), task("new", None)), (), 500)
    found = compare(old, new)
    assert [(c.name, c.change) for c in found.tasks] == [
        ("kept", "kept"),
        ("gone", "gone"),
        ("new", "new"),
    ]
    kept, gone, came = found.tasks
    assert (kept.calls_day, kept.usd_month, kept.share_free) == (
        (10.0, 40.0),
        (10.0, 30.0),
        (0.0, 0.5),
    )
    assert kept.verdict == ("distil", "more data")
    assert (gone.usd_month, came.usd_month) == ((5.0, None), (None, None))
    assert found.usd_month == (15.0, 30.0)


def test_an_audit_beside_itself_has_not_changed():
    report = AuditReport((task("a", 1.0, days=0.0),), (), 1)
    (same,) = compare(report, report).tasks
    assert (same.change, same.calls_day) == ("kept", (None, None))
