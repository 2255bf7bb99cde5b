"""Reports and proofs made by hand: the ordinary, the unknown, the huge, the empty, the hostile."""

import math

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.audits import AuditReport, SourceCoverage
from stepdown.core.datasets import SplitReport
from stepdown.core.proofs import (
    Bin,
    Certificate,
    Confusion,
    CostRow,
    CurvePoint,
    Economics,
    FieldRow,
    Interval,
    Latency,
    Proof,
    SliceRow,
    TestResult,
)
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.core.templates import Template

HOSTILE = (
    """</style></title><script>alert("x")</script><img src=x onerror='alert(1)'>{{7*7}}\x1b[31m‮"""
)


def ticket_routing() -> Task:
    labels = (*(f"label_{n}" for n in range(12)), "card_arrival", "lost_or_stolen_card")
    return Task(
        id="3f9a1c0b7d21",
        name="ticket-routing",
        signature=Signature(
            system=Template(
                (
                    "You route bank tickets. Today is ",
                    ". Answer with one label.",
                )
            ),
            user=Template(("Ticket: ", "")),
        ),
        anatomy=Anatomy(
            "text",
            (Field("", "choice", values=labels, distinct=77, count=41_200),),
            sampled=2000,
            bound_calls=1.0,
            bound_fields=1.0,
        ),
        verdict=Verdict(
            "distil",
            (
                "Every answer is one of 77 labels.",
                "41,200 calls are enough for a certificate at 2 %.",
            ),
            saving_usd_month=812.4,
            break_even_days=0.4,
        ),
        calls=41_200,
        models={"gpt-5.1": 41_000, "gpt-5.1-mini": 200},
        examples=("I still have not got my new card?", "Someone took my card at the station"),
        first_time=1_761_955_200.0,
        last_time=1_764_460_800.0,
        input_tokens=52_736_000,
        output_tokens=247_200,
        spend_usd=834.12,
        spend_usd_month=875.6,
        priced_calls=41_200,
        latency_p50_ms=812.0,
        latency_p99_ms=2911.0,
        repeats=0.083,
        self_agreement=0.974,
        self_agreement_repeats=3_420,
        params={"temperature": {"max": 0.0}, "top_p": [1]},
        sources=("calls-november.jsonl",),
    )


def receipt_fields() -> Task:
    fields = (
        Field("/company", "copy", distinct=402, count=880, aligned=0.98, normaliser="as it is"),
        Field(
            "/date", "derived", distinct=611, count=871, null=0.01, aligned=0.97, normaliser="date"
        ),
        Field(
            "/total", "derived", "number", distinct=790, count=880, aligned=0.99, normaliser="money"
        ),
        Field("/currency", "constant", values=("MYR",), distinct=1, count=880),
        Field("/summary", "free", distinct=880, count=120, present=0.14, aligned=0.01),
    )
    return Task(
        id="a1b2c3d4e5f6",
        name="receipt-fields",
        signature=Signature(user=Template(("Extract the fields of this receipt:\n\n", ""))),
        anatomy=Anatomy("json", fields, sampled=880, bound_calls=0.86, bound_fields=0.966),
        verdict=Verdict(
            "more data",
            ("880 calls were seen; a certificate at 2 % wants about 1,900.",),
            missing_calls=1_020,
        ),
        calls=880,
        models={"claude-sonnet-4.5": 880},
        output_format_json='{"kind":"json_schema","schema":{"type":"object"}}',
        examples=("RESTORAN WAN SHENG\n2 x TEH TARIK 3.40\nTOTAL RM 12.30",),
        input_tokens=1_400_000,
        output_tokens=90_000,
        spend_usd=61.5,
        priced_calls=880,
        latency_p50_ms=1900.0,
        latency_p99_ms=7200.0,
        repeats=0.0,
    )


def assistant_tools() -> Task:
    return Task(
        id="77aa77aa77aa",
        name="assistant-tools-for-the-home-and-the-car-with-a-name-that-never-wants-to-end",
        signature=Signature(tools="abc123"),
        anatomy=Anatomy(
            "tool",
            (
                Field("/tool", "choice", values=("PlayMusic", "GetWeather"), distinct=2, count=900),
                Field("/PlayMusic/artist", "copy", count=410, aligned=0.99, required=False),
                Field("/GetWeather/city", "copy", count=480, aligned=0.96),
            ),
            sampled=1000,
            bound_calls=0.97,
            bound_fields=0.98,
            none_share=0.1,
        ),
        verdict=Verdict("distil", ("A choice of 2 tools; arguments stand in the input.",)),
        calls=13_784,
        models={"house-model-7": 13_784},
        tools_json='[{"type":"function","function":{"name":"PlayMusic"}}]',
    )


def newsletter() -> Task:
    return Task(
        id="0d0d0d0d0d0d",
        name="newsletter-draft",
        signature=Signature(),
        anatomy=Anatomy("text", (Field("", "free", count=300),), 300, 0.0, 0.0),
        verdict=Verdict("not possible", ("The answer is free text.",)),
        calls=300,
        spend_usd=190.0,
        priced_calls=300,
        latency_p50_ms=24_000.0,
    )


def rare_check() -> Task:
    return Task(
        id="beefbeefbeef",
        name="rare-check",
        signature=Signature(),
        anatomy=Anatomy("text", (), 0, 0.0, 0.0, unreadable=3),
        verdict=Verdict("not worth it", ("It costs $0.02 a month.",)),
        calls=3,
        spend_usd=0.0021,
        priced_calls=3,
    )


def audit() -> AuditReport:
    tasks = (ticket_routing(), newsletter(), receipt_fields(), rare_check(), assistant_tools())
    return AuditReport(
        tasks=tasks,
        sources=(
            SourceCoverage(
                "calls-november.jsonl",
                "native",
                56_300,
                56_180,
                82,
                rejected={"not JSON": 38},
            ),
            SourceCoverage(
                "batch.jsonl.gz",
                "openai-batch",
                12,
                1,
                joined=1,
                rejected={"no output for it": 10},
                notes=["The batch has no error file."],
            ),
        ),
        calls=56_180,
        spend_usd=1085.6221,
        days=29.0,
        unpriced_models={"house-model-7": 13_784},
        prices_as_of="2026-11-01",
    )


def audit_empty() -> AuditReport:
    return AuditReport(tasks=(), sources=(), calls=0)


def audit_unknown() -> AuditReport:
    task = assistant_tools()
    return AuditReport((task,), (), 13_784, unpriced_models={"house-model-7": 13_784})


def audit_huge() -> AuditReport:
    source = ticket_routing()
    tasks = tuple(
        Task(
            id=f"task{n}",
            name=f"task-{n}-" + "x" * (n % 40),
            signature=source.signature,
            anatomy=source.anatomy,
            verdict=source.verdict,
            calls=9_999_999_999 // n,
            spend_usd=123_456_789_012.0 / n**3,
            spend_usd_month=123_456_789_012.0 / n**3,
            priced_calls=10,
            latency_p50_ms=86_400_000.0,
        )
        for n in range(1, 81)
    )
    spend = sum(task.spend_usd or 0.0 for task in tasks)
    return AuditReport(tasks, (), 9_999_999_999_999, spend_usd=spend, days=3650.0)


def audit_hostile() -> AuditReport:
    task = Task(
        id=HOSTILE,
        name=HOSTILE,
        signature=Signature(system=Template((HOSTILE, HOSTILE)), user=Template(("", HOSTILE))),
        anatomy=Anatomy(
            "json",
            (Field(HOSTILE, "choice", HOSTILE, (HOSTILE, {HOSTILE: HOSTILE}), normaliser=HOSTILE),),
            sampled=1,
            bound_calls=1.0,
            bound_fields=1.0,
        ),
        verdict=Verdict("distil", (HOSTILE,)),
        calls=5,
        models={HOSTILE: 5},
        examples=(HOSTILE,),
        hint=HOSTILE,
        params={HOSTILE: [HOSTILE]},
        sources=(HOSTILE,),
        tools_json=HOSTILE,
        output_format_json=HOSTILE,
    )
    source = SourceCoverage(HOSTILE, HOSTILE, 5, 5, rejected={HOSTILE: 1}, notes=[HOSTILE])
    return AuditReport((task,), (source,), 5, unpriced_models={HOSTILE: 5}, prices_as_of=HOSTILE)


def interval(hits: int, total: int) -> Interval:
    estimate = hits / total if total else 0.0
    half = 1.96 * math.sqrt(estimate * (1 - estimate) / total) if total else 0.0
    return Interval(hits, total, estimate, max(0.0, estimate - half), min(1.0, estimate + half))


def _curve() -> tuple[CurvePoint, ...]:
    shares = [n / 40 for n in range(1, 41)]
    return tuple(
        CurvePoint(1 - c**3, c, 0.071 * c**10.6, 0.3 if c < 0.03 else 0.071 * c**9.6)
        for c in shares
    )


def _slices() -> tuple[SliceRow, ...]:
    return tuple(
        SliceRow(f"label_{n}", 40, 0.6 + n / 90, 20 + n // 3, max(0, 4 - n)) for n in range(36)
    )


def proof_certified() -> Proof:
    bins = tuple(
        Bin(n / 10, n / 10 + 0.1, 7 * n * n, n / 10 + 0.05, min(1.0, n / 10 + 0.09 - n / 100))
        for n in range(10)
    )
    return Proof(
        id="9c3e7712ab04",
        task="3f9a1c0b7d21",
        task_name="ticket-routing",
        student="5be1d2aa9001",
        family="linear",
        dataset="d41d8cd98f00",
        passed=True,
        summary="Answers 85.2 % of the calls at a joint risk of 1.3 %.",
        reference="the teacher's logged answers",
        certificate=Certificate("joint", 0.02, 0.95, 2000, 0.8312, 1710, 29, 0.0196, 149),
        test=TestResult(
            rows=3080,
            agreement=interval(2861, 3080),
            coverage=interval(2624, 3080),
            joint_risk=interval(40, 3080),
            selective_risk=interval(40, 2624),
            curve=_curve(),
            bins=bins,
            calibration_error=0.021,
            fields=(FieldRow("", "choice", 3080, 0.929, 0.985),),
            slices=_slices(),
            confusions=(
                Confusion("", "card_arrival", "card_delivery_estimate", 9, 2, "where is my card"),
                Confusion("", "top_up_failed", "topping_up_by_card", 6, 0, "top up did not work"),
                Confusion("", "card_delivery_estimate", "card_arrival", 4, 1),
            ),
        ),
        split=SplitReport(8000, 2000, 3080, clusters=12_402, by_time=True, dropped_duplicates=611),
        economics=Economics(
            rows=(
                CostRow("gpt-5.1 (now)", 20.2, 1.0),
                CostRow("gpt-5.1-mini", 4.1, 0.962, "its own answers in the log"),
                CostRow("student alone", 0.0004, 0.929),
                CostRow("cascade", 3.4, 0.987),
                CostRow("house-model-7", None, 0.91, "no known price"),
            ),
            calls_month=42_600,
            saving_usd_month=702.11,
            audit_usd_month=14.6,
            labelling_usd=0.0,
            break_even_days=0.0,
        ),
        latency=Latency(0.143, 0.391, 3080, "2 cores, x86-64", 812.0),
        made_at="2026-11-23T21:00:00Z",
        self_agreement=0.974,
        student_bytes=4_812_000,
        not_covered=(
            "Traffic that differs from the calibration rows.",
            "Inputs made to mislead the model.",
        ),
        extra={"trials": 1, "versions": {"stepdown": "0.1.0"}},
    )


def proof_refused() -> Proof:
    return Proof(
        id="00aa00aa00aa",
        task="a1b2c3d4e5f6",
        task_name="receipt-fields",
        student="17c0ffee0000",
        family="linear",
        dataset="feedfeedfeed",
        passed=False,
        summary="No threshold keeps the joint risk under 2 %.",
        reference="the teacher's logged answers",
        certificate=Certificate(
            "joint",
            0.02,
            0.95,
            96,
            None,
            rows_needed=149,
            why="With 96 calibration rows even no error at all gives a bound of 3.1 %.",
            remedy="Label 53 more calls, or allow an error budget of 3.1 %.",
        ),
        test=TestResult(
            rows=120,
            agreement=interval(78, 120),
            coverage=interval(0, 120),
            joint_risk=interval(0, 120),
            selective_risk=interval(0, 0),
            curve=(CurvePoint(0.5, 1.0, 0.35, 0.35),),
            bins=(Bin(0.0, 1.0, 120, 0.71, 0.65),),
            calibration_error=0.06,
            fields=(
                FieldRow("/company", "copy", 120, 0.92, None),
                FieldRow("/total", "derived", 120, 0.81, None),
            ),
        ),
        split=SplitReport(400, 96, 120),
        economics=Economics(
            rows=(CostRow("claude-sonnet-4.5 (now)", None, 1.0, "no known price"),),
            note="No call of this task has a known price.",
            labelling_usd=None,
        ),
        latency=Latency(3.4, 9.9, 120, "2 cores, x86-64"),
        made_at="2026-11-23T21:00:00Z",
    )


def proof_hostile() -> Proof:
    confusion = Confusion(HOSTILE, HOSTILE, HOSTILE + "2", 3, 1, HOSTILE)
    return Proof(
        id=HOSTILE,
        task=HOSTILE,
        task_name=HOSTILE,
        student=HOSTILE,
        family=HOSTILE,
        dataset=HOSTILE,
        passed=False,
        summary=HOSTILE,
        reference=HOSTILE,
        certificate=Certificate("selective", 0.02, 0.95, 10, None, why=HOSTILE, remedy=HOSTILE),
        test=TestResult(
            rows=0,
            agreement=interval(0, 0),
            coverage=interval(0, 0),
            joint_risk=interval(0, 0),
            selective_risk=interval(0, 0),
            fields=(FieldRow(HOSTILE, "choice", 0, 0.0, None),),
            slices=(SliceRow(HOSTILE, 1, 0.0, 1, 1),),
            confusions=(confusion,),
        ),
        split=SplitReport(0, 0, 0),
        economics=Economics(rows=(CostRow(HOSTILE, 1.0, 0.5, HOSTILE),), note=HOSTILE),
        latency=Latency(0.0, 0.0, 0, HOSTILE),
        made_at=HOSTILE,
        not_covered=(HOSTILE,),
        extra={HOSTILE: HOSTILE},
    )
