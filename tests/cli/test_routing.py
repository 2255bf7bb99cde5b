"""`stepdown routing` as a command: from calls and files to a score, or to why there is none."""

import gzip
import json

import pytest
from tests.cli.story import call

from stepdown.core.ports import Exchange
from stepdown.store.sqlite import SqliteOutbox


def prompts(count=400):
    """Sums are hard nine times in ten, greetings one time in ten."""
    for at in range(count):
        sums, turn = at % 2 == 1, (at // 2) % 10
        text = f"{'prove the sum' if sums else 'greet the guest'} {at}"
        yield text, turn < 9 if sums else turn == 0


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl.gz"
    lines = [
        json.dumps({"prompt": text, "models": {"w": {"correct": not hard}, "s": {"correct": 1}}})
        for text, hard in prompts()
    ]
    path.write_bytes(gzip.compress("\n".join([*lines, "no json"]).encode()))
    return path


def fit(*arguments, workspace):
    return call("routing", *arguments, "--workspace", workspace)


def test_a_file_of_comparisons_becomes_a_score(rows, tmp_path, capsys):
    ws = tmp_path / "ws"
    assert fit(rows, "--weak", "w", "--strong", "s", "--json", workspace=ws) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["usable"] is True
    assert found["auroc"] > 0.8
    assert found["sources"] == {"comparison files": [400, 200]}
    assert found["skipped"] == {"a line that is no comparison": 1}
    assert sum(found["shares"].values()) == pytest.approx(1.0)
    assert (ws / "routing" / found["score"] / "manifest.json").is_file()
    assert "Next: stepdown serve" in err
    assert "[routing] enabled = true" in err


def test_it_is_told_in_words(rows, tmp_path, capsys):
    assert fit(rows, "--weak", "w", "--strong", "s", workspace=tmp_path / "ws") == 0
    said = "".join(capsys.readouterr())
    for part in ("AUROC 0.", "calibration error", "base rate of 50.0 %", "small ", "Usable."):
        assert part in said


def test_the_threshold_of_a_type_moves_its_calls(rows, tmp_path, capsys):
    config = tmp_path / "stepdown.toml"
    config.write_text("[routing]\nmid = 1.0\nfrontier = 1.0\n")
    assert (
        fit(
            *(rows, "--weak", "w", "--strong", "s", "--json", "--config", config),
            workspace=tmp_path,
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out)["shares"]["small"] == 1.0
    fit(rows, "--weak", "w", "--strong", "s", "--config", config, workspace=tmp_path)
    assert "Nearly all of them are small" in "".join(capsys.readouterr())


def test_a_score_that_tells_nothing_is_kept_off(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    lines = [
        json.dumps(
            {"prompt": f"row {at}", "models": {"w": {"score": at % 3 / 2}, "s": {"score": 1}}}
        )
        for at in range(300)
    ]
    path.write_text("\n".join(lines))
    assert fit(path, "--weak", "w", "--strong", "s", workspace=tmp_path / "ws") == 1
    said = "".join(capsys.readouterr())
    assert "Not usable, so it is off." in said
    assert "compare_share" in said


def test_captured_calls_are_learnt_from(tmp_path, capsys):
    ws = tmp_path / "ws"
    outbox = SqliteOutbox(ws / "calls.db")
    for at, (text, hard) in enumerate(prompts()):
        student = {"text": "no" if hard else "yes"}
        line = {
            "id": f"c{at}",
            "request": {"model": "m", "messages": [{"role": "user", "content": text}]},
            "response": {
                "object": "chat.completion",
                "choices": [{"message": {"role": "assistant", "content": "yes"}}],
            },
            "stepdown": {"tier": "frontier", "task": "t", "student_answer": student},
        }
        outbox.submit(Exchange(f"c{at}", float(at), json.dumps(line).encode()), lambda _: None)
    outbox.close()
    assert fit("--json", workspace=ws) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sources"] == {"left or shadowed by a student": [400, 200]}


def test_too_few_rows_say_how_many_are_missing_and_what_was_left_out(tmp_path, capsys):
    path = tmp_path / "few.jsonl"
    good = json.dumps({"prompt": "p", "models": {"w": {"correct": 1}, "s": {"correct": 1}}})
    path.write_text(f"{good}\nno json\n")
    assert fit(path, "--weak", "w", "--strong", "s", workspace=tmp_path / "ws") == 1
    said = capsys.readouterr().err
    assert "there are 0 and 1" in said
    assert "a line that is no comparison: 1" in said


@pytest.mark.parametrize(
    ("data", "options", "status", "said"),
    [
        (b"{}\n", ("--weak", "w", "--strong", "s"), 2, "each line needs"),
        (b"\x1f\x8b broken", ("--weak", "w", "--strong", "s"), 2, "compressed"),
        (None, ("--weak", "w", "--strong", "s"), 2, "does not exist"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, capsys, data, options, status, said):
    path = tmp_path / "rows.jsonl"
    if data is not None:
        path.write_bytes(data)
    assert fit(path, *options, workspace=tmp_path / "ws") == status
    assert said in capsys.readouterr().err


def test_the_models_have_to_be_named(rows, tmp_path, capsys):
    assert fit(rows, workspace=tmp_path / "ws") == 2
    assert "the files have s, w" in capsys.readouterr().err
