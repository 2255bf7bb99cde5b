"""The language model's benchmark compares the same questions before and after."""

from tests.cli.bench.small import write_set

from stepdown.cli.bench import generative as bench
from stepdown.core.ports import silent


def rows():
    for at in range(120):
        label, words = (("Weather", "sun and rain"), ("Music", "play a song"))[at % 2]
        yield {
            "id": str(at),
            "text": f"{words} {at}",
            "label": label,
            "split": "test" if at % 4 == 0 else "train",
        }


def test_both_sides_answer_the_same_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "MODEL", "smollm2-135m-instruct")
    monkeypatch.setattr(bench, "TRAIN", 60)
    monkeypatch.setattr(bench, "TEST", 20)
    asked = []

    def trained(task, examples, progress, family):
        from stepdown.cli.bench import students

        asked.append((family, len(examples)))
        return students.plugins.family("linear").train(task, examples), 1.0

    monkeypatch.setattr(bench.on, "trained", trained)
    monkeypatch.setattr(bench, "_untrained", lambda student: student)
    monkeypatch.setattr(bench, "_on_gpu", lambda: False)
    write_set(tmp_path, "snips", list(rows()))
    before, after = bench.generative(tmp_path, silent)
    assert asked == [("generative:smollm2-135m-instruct", 60)]
    assert before.number == after.number > 90
    assert "60 training rows" in after.note
