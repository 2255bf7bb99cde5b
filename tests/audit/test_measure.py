import random
from collections.abc import Iterator

import msgspec
import pytest

from stepdown.audit import AuditTerms, audit, counting
from stepdown.core.audits import SourceCoverage
from stepdown.core.calls import Answer, Call, Message, OutputFormat, Request, Usage
from stepdown.core.tasks import TaskIndex, tokens_a_call

WORDS = ["lost", "card", "charge", "refund", "transfer", "login", "pin", "limit", "fee", "branch"]
ROUTE = "Classify the customer message as billing, cards or other. Today is 2026-10-{:02}."
SCHEMA = OutputFormat("json_schema", {"properties": {"n": {"type": "integer"}}}, hash="schema")


def call(number, system, said, answer, **more):
    messages = (Message("system", system), Message("user", said))
    kept = {key: more.pop(key) for key in ("output_format",) if key in more}
    known = {"model": "gpt-4o", "usage": Usage(200, 5), "time": 1.76e9 + 600.0 * number}
    return Call(
        f"{system[:4]}{number}", Request("gpt-4o", messages, **kept), Answer(answer), **known | more
    )


def message(number):
    return f"{' '.join(random.Random(number).choices(WORDS, k=6))} {number}"


def routing(count):
    teams = ("billing", "cards", "other")
    return [
        call(n, ROUTE.format(n % 28 + 1), message(n), teams[len(message(n)) % 3])
        for n in range(count)
    ]


def greeting(count, **more):
    said = "Write a warm greeting to the customer who says this."
    words = random.Random(1)
    return [
        call(n, said, message(n), " ".join(words.choices(WORDS, k=30)), **more)
        for n in range(count)
    ]


def mixed():
    calls = routing(700) + greeting(500, model="gpt-4o-mini")
    random.Random(5).shuffle(calls)
    return calls


@pytest.fixture(scope="module")
def report():
    return audit(mixed(), [SourceCoverage("log.jsonl", "native", 1_200, 1_200)])


def test_tasks_are_found_judged_and_ranked_by_money(report):
    assert [(task.calls, task.verdict.decision) for task in report.tasks] == [
        (700, "distil"),
        (500, "not possible"),
    ]
    routed = report.tasks[0]
    assert routed.name == "classify-customer-message-billing"
    assert routed.anatomy.fields[0].kind == "choice"
    assert routed.models == {"gpt-4o": 700}
    assert routed.input_tokens == 140_000


def test_totals_are_exact(report):
    routed, greeted = report.tasks
    assert routed.spend_usd == pytest.approx(700 * (200 * 2.5 + 5 * 10) / 1e6, abs=1e-9)
    assert report.spend_usd == pytest.approx(routed.spend_usd + greeted.spend_usd, abs=1e-12)
    assert report.days == pytest.approx(699 * 600 / 86_400)
    assert routed.spend_usd_month == pytest.approx(routed.spend_usd / report.days * 30.4375)
    assert report.calls == 1_200
    assert report.sources[0].lines == 1_200
    assert report.prices_as_of


def test_the_order_of_the_log_changes_nothing(report):
    again = audit(sorted(mixed(), key=lambda call: call.id), [])
    assert [msgspec.to_builtins(task) for task in again.tasks] == [
        msgspec.to_builtins(task) for task in report.tasks
    ]


def test_the_tasks_recognise_their_calls(report):
    index = TaskIndex(report.tasks)
    found = [index.recognise(call.request) for call in mixed()]
    assert None not in found
    assert {one[0].id for one in found if one} == {task.id for task in report.tasks}


def test_two_schemas_under_one_prompt_are_two_tasks():
    said = "How many words are these?"
    calls = [call(n, said, message(n), '{"n": 6}', output_format=SCHEMA) for n in range(60)]
    calls += [call(n, said, message(n), "six") for n in range(60)]
    tasks = audit(calls, []).tasks
    assert sorted((task.anatomy.shape, task.calls) for task in tasks) == [
        ("json", 60),
        ("text", 60),
    ]
    assert len({task.name for task in tasks}) == 2


def test_thirty_calls_need_more():
    [task] = audit(routing(30), []).tasks
    assert task.verdict.decision == "more data"
    assert task.verdict.missing_calls > 300


def test_unknown_prices_are_counted_and_in_no_total():
    report = audit(routing(40) + greeting(20, model="ours"), [])
    assert report.unpriced_models == {"ours": 20}
    assert report.spend_usd == pytest.approx(40 * 550e-6)
    assert [task.spend_usd is None for task in report.tasks] == [False, True]


def test_calls_without_token_counts_are_not_said_to_lack_a_price():
    uncounted = [msgspec.structs.replace(one, usage=None) for one in greeting(20)]
    report = audit(routing(40) + uncounted + greeting(5, model="ours"), [])
    assert report.uncounted_models == {"gpt-4o": 20}
    assert report.unpriced_models == {"ours": 5}


def test_without_times_there_is_no_month():
    calls = [msgspec.structs.replace(one, time=None) for one in routing(500)]
    report = audit(calls, [])
    [task] = report.tasks
    assert (report.days, task.spend_usd_month, task.first_time) == (None, None, None)
    assert task.spend_usd is not None
    assert task.verdict.decision == "distil"


def test_a_burst_is_not_extrapolated():
    calls = [msgspec.structs.replace(one, time=1e9 + n) for n, one in enumerate(routing(500))]
    [task] = audit(calls, []).tasks
    assert task.spend_usd_month is None


def test_a_caller_s_hint_is_the_name_and_the_terms_are_heeded():
    calls = [msgspec.structs.replace(one, task="ticket-routing") for one in routing(100)]
    [task] = audit(calls, [], AuditTerms(budget=0.2, confidence=0.8)).tasks
    assert (task.name, task.hint) == ("ticket-routing", "ticket-routing")
    assert task.verdict.decision == "distil"


def test_nothing_read_is_nothing_found():
    report = audit([], [])
    assert (report.tasks, report.calls, report.spend_usd, report.days) == ((), 0, None, None)


def test_the_calls_are_read_once_and_coverage_after_them():
    coverage: list[SourceCoverage] = []

    def reading() -> Iterator[Call]:
        yield from routing(30)
        coverage.append(SourceCoverage("late"))

    assert audit(reading(), coverage).sources[0].source == "late"


def test_progress_is_told():
    told = []
    audit(routing(30), [], progress=lambda *what: told.append(what))
    assert ("calls", 30, 30) in told
    assert told[-1] == ("anatomy", 1, 1)


def test_memory_stays_bounded_by_shrinking_the_largest(monkeypatch):
    monkeypatch.setattr(counting, "_CHECKED_EVERY", 100)
    monkeypatch.setattr(counting, "_SAMPLE_BYTES", 100_000)
    monkeypatch.setattr(counting, "_REPEAT_ENTRIES", 200)
    report = audit(mixed(), [])
    assert [task.calls for task in report.tasks] == [700, 500]
    assert sum(task.anatomy.sampled for task in report.tasks) < 400
    assert report.tasks[0].verdict.decision == "distil"


class _Merging:
    """A grouper that gives two groups and says at the end that they are one."""

    def __init__(self, signature):
        self._signature = signature
        self._calls = 0

    def add(self, call):
        self._calls += 1
        return [(call, self._calls % 2)]

    def finish(self):
        return ()

    def groups(self):
        return {1: self._signature}

    def merged(self):
        return {0: 1}

    def hint_of(self, number):
        return None


def test_groups_that_turn_out_to_be_one_are_one_task(monkeypatch):
    [whole] = audit(routing(30), []).tasks
    monkeypatch.setattr(counting, "Grouper", lambda: _Merging(whole.signature))
    [task] = audit(routing(30), []).tasks
    assert msgspec.to_builtins(task) == msgspec.to_builtins(whole)


def test_calls_that_tell_no_tokens_are_counted_apart():
    calls = [*routing(40), *(msgspec.structs.replace(one, usage=None) for one in routing(80)[40:])]
    [task] = audit(calls, []).tasks
    assert (task.calls, task.counted_calls) == (80, 40)
    assert tokens_a_call(task) == (200, 5)
    assert tokens_a_call(msgspec.structs.replace(task, input_tokens=None)) is None


def test_c4_a_date_that_stood_still_is_told():
    calls = [call(n, ROUTE.format(7), message(n), ("billing", "cards")[n % 2]) for n in range(80)]
    (task,) = audit(calls, []).tasks
    (told,) = [reason for reason in task.verdict.reasons if "2026-10-07" in reason]
    assert (
        told == "“2026-10-07” stood in every call: one with another date is no call of this task."
    )
    (moved,) = audit(routing(80), []).tasks
    assert not any("another date" in reason for reason in moved.verdict.reasons)
