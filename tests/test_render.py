"""Terminal output: it fits, it says what it must, and log text cannot steer the terminal."""

import io
import re

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType
from tests.web import samples

from stepdown import render
from stepdown.core.audits import AuditReport
from stepdown.core.proofs import Proof


def printed(what: RenderableType, width: int = 100) -> str:
    out = io.StringIO()
    render.show(what, Console(file=out, width=width, markup=False, emoji=False, highlight=False))
    return out.getvalue()


AUDITS = [samples.audit, samples.audit_empty, samples.audit_unknown, samples.audit_huge]
PROOFS = [samples.proof_certified, samples.proof_refused, samples.proof_hostile]


@pytest.mark.parametrize("width", [60, 80, 100, 160])
@pytest.mark.parametrize("make", [*AUDITS, samples.audit_hostile])
def test_an_audit_fits_the_terminal(make, width: int) -> None:
    report: AuditReport = make()
    assert max(map(cell_len, printed(render.audit_table(report), width).splitlines())) <= width


@pytest.mark.parametrize("width", [60, 80, 100, 160])
@pytest.mark.parametrize("make", PROOFS)
def test_a_proof_fits_the_terminal(make, width: int) -> None:
    proof: Proof = make()
    assert max(map(cell_len, printed(render.proof_summary(proof), width).splitlines())) <= width


def test_figures_are_never_cut_at_80_columns() -> None:
    text = printed(render.audit_table(samples.audit()), 80)
    row = next(line for line in text.splitlines() if "ticket-routing" in line)
    assert row.split() == [
        "1",
        "ticket-routing",
        "distil",
        "41,200",
        "$834.12",
        "$875.60",
    ]
    assert "Left out for want of width: Non-free." in text
    assert re.search(r"assistant-tools\S*… +distil +13,784 +unknown +unknown", text)


def test_an_audit_says_what_was_read_and_what_has_no_price() -> None:
    text = printed(render.audit_table(samples.audit()), 120)
    assert "2 of 5 tasks, 76.8 % of the known spend" in text
    assert "38 × not JSON" in text
    assert "batch.jsonl.gz: The batch has no error file." in text
    assert "No known price, so in no total: house-model-7 (13,784 calls)." in text
    assert "880 calls were seen" in text


def test_a_long_audit_names_how_many_tasks_are_left_out() -> None:
    assert "… and 60 tasks more" in printed(render.audit_table(samples.audit_huge()))


@pytest.mark.parametrize(
    "words",
    [
        "Certified: a small model can answer 85.2 %",
        "With 95 % confidence, at most 2 % of all calls",
        "0.8312",
        "risk bound 1.96 %",
        "85.2 %  (83.9 to 86.4 %; 2,624 of 3,080)",
        "92.9 %",
        "p50 0.14 ms, p99 0.39 ms; now p50 812 ms",
        "$20.20",
        "$702.11",
    ],
)
def test_a_certified_proof_shows_every_figure(words: str) -> None:
    assert words in printed(render.proof_summary(samples.proof_certified()), 120)


def test_a_gate_shows_its_cutoff_and_its_cost() -> None:
    proof = samples.proof_certified()
    assert "novelty gate" not in printed(render.proof_summary(proof), 120)
    assert "opened" not in printed(render.proof_summary(proof), 120)
    looked = msgspec.structs.replace(proof, opened=3)
    assert "opened 3 times so far" in printed(render.proof_summary(looked), 120)
    gate = msgspec.structs.replace(
        proof.certificate, novelty_cutoff=0.9876, novelty_refused=0.034, novelty_cost=0.009
    )
    text = printed(render.proof_summary(msgspec.structs.replace(proof, certificate=gate)), 120)
    assert "refuses above 0.9876  (3.4 % of the calibration rows, which costs 0.9 %" in text


def test_a_refused_proof_says_why_and_what_would_change_it() -> None:
    text = printed(render.proof_summary(samples.proof_refused()), 120)
    assert "Not certified" in text
    assert "Why: With 96 calibration rows" in text
    assert "What would change it: Label 53 more calls" in text
    assert "none  (96 calibration rows; at least 149 are needed)" in text
    assert "$0" not in text


def test_log_text_cannot_reach_the_terminal_as_control() -> None:
    for what in (
        render.audit_table(samples.audit_hostile()),
        render.proof_summary(samples.proof_hostile()),
        render.table("\x1b]0;x\x07", ["a\x1b[1m"], [["\x1b[31m"]]),
    ):
        text = printed(what)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f‮]", text)


def test_lines_for_the_reader_go_to_stderr_and_are_not_wrapped(capsys) -> None:
    render.say("x" * 300)
    render.next_step("stepdown prove " + "y" * 200)
    render.show(render.table("", ["only"], [["row"]]))
    out, err = capsys.readouterr()
    assert "x" * 300 in err
    assert "Next: stepdown prove " + "y" * 200 in err
    assert "row" in out and "x" not in out


def test_progress_is_one_line_a_stage_where_nobody_watches(capsys) -> None:
    with render.progress_bar() as progress:
        for done in range(50):
            progress("reading", done, 50)
        progress("mining", 0, 0)
    assert capsys.readouterr().err == "reading (50) …\nmining …\n"


def test_progress_draws_bars_on_a_terminal() -> None:
    out = io.StringIO()
    with render.progress_bar(Console(file=out, force_terminal=True, width=80)) as progress:
        progress("reading [b]", 0, 0)
        progress("reading [b]", 10, 10)
    assert "reading [b]" in out.getvalue()
    assert "10/10" in out.getvalue()


def test_what_changes_about_a_stage_is_part_of_no_other(capsys) -> None:
    out = io.StringIO()
    with render.progress_bar(Console(file=out, force_terminal=True, width=80)) as progress:
        progress(f"asking{render.DETAIL}$0.10", 1, 2)
        progress(f"asking{render.DETAIL}$0.20", 2, 2)
    assert "$0.20" in out.getvalue()
    assert out.getvalue().count("2/2") >= 1
    with render.progress_bar() as progress:
        progress(f"asking{render.DETAIL}$0.10", 1, 2)
        progress(f"asking{render.DETAIL}$0.20", 2, 2)
    assert capsys.readouterr().err == "asking (2) …\n"
