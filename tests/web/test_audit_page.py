"""The audit page: what a manager must find on it, and what a hostile log cannot do to it."""

import msgspec
import pytest
from tests.web import samples
from tests.web.reading import Page, check

from stepdown.core.audits import AuditReport
from stepdown.web.audit_page import audit_page


def made(report: AuditReport) -> Page:
    return check(audit_page(report, made_at="2026-11-23", version="0.1.0"))


@pytest.mark.parametrize(
    "words",
    [
        "2 of 5 tasks, 76.8 % of the known spend, look fit for a small model.",
        "$1,086",
        "29 days of traffic",
        "known for 1 of 2 fit tasks",
        "You route bank tickets. Today is ▢. Answer with one label.",
        "Every answer is one of 77 labels.",
        "… and 65 more",
        "52,736,000, 247,200",
        "812 ms, 2.9 s",
        "97.4 % of 3,420 repeats",
        "2025-11-01 to 2025-11-30",
        "I still have not got my new card?",
        "No answer could be measured: 3 answers could not be read",
        "38 not JSON calls-november.jsonl",
        "batch.jsonl.gz openai-batch 12 1 0 1 10",
        "batch.jsonl.gz: The batch has no error file.",
        "house-model-7 (13,784 calls)",
        "Their cost is unknown, not zero.",
        "Made by stepdown 0.1.0, 2026-11-23.",
    ],
)
def test_a_manager_finds(words: str) -> None:
    assert words in made(samples.audit()).text


def test_tasks_stand_in_the_reports_order() -> None:
    text = made(samples.audit()).text
    places = [
        text.index(f"{rank}. {task.name}") for rank, task in enumerate(samples.audit().tasks, 1)
    ]
    assert places == sorted(places)


def test_unknown_money_is_never_a_zero() -> None:
    text = made(samples.audit_unknown()).text
    assert "assistant-tools-for-the-home" in text
    assert "$0" not in text
    assert "The log holds no times" in text


def test_an_empty_audit_has_no_charts_and_says_why() -> None:
    page = made(samples.audit_empty())
    assert "nothing to judge" in page.text
    assert "svg" not in [name for name, _ in page.elements]


def test_a_long_audit_shortens_charts_and_sections_but_not_its_table() -> None:
    page = made(samples.audit_huge())
    assert "The charts show the first 12 of 80 tasks." in page.text
    assert [name for name, _ in page.elements].count("article") == 60
    assert "task-80-" in page.text
    assert "at least $123.5 bn" in page.text


def test_a_hostile_log_stays_text() -> None:
    page = made(samples.audit_hostile())
    assert '<script>alert("x")</script>' in page.text
    assert "{{7*7}}" in page.text


def test_a_long_prompt_is_cut_and_says_so() -> None:
    task = msgspec.structs.replace(samples.ticket_routing(), examples=("y" * 50_000,))
    page = made(AuditReport((task,), (), 1))
    assert "… (48,800 more characters)" in page.text


@pytest.mark.parametrize("seconds", [1e30, -1e30, float("inf")])
def test_a_time_out_of_range_is_unknown(seconds: float) -> None:
    task = msgspec.structs.replace(samples.ticket_routing(), first_time=0.0, last_time=seconds)
    assert "1970-01-01 to unknown" in made(AuditReport((task,), (), 1)).text


def test_who_spends_and_since_when() -> None:
    sample = samples.audit()
    first, *rest = sample.tasks
    day = int((first.first_time or 0) // 86_400)
    told = msgspec.structs.replace(
        first,
        spend_by={"team": {"care <b>": 700.0, "sales": 12.5}},
        daily=tuple((day + 7 * week, 10, 5.0 * week) for week in range(6)),
    )
    page = made(msgspec.structs.replace(sample, tasks=(told, *rest)))
    assert "Who spends, and since when" in page.text
    assert "Spend by team" in page.text
    assert "Spend by week" in page.text
    assert "care <b>" in page.text
    assert "Who spends" not in made(sample).text
