"""A budget that the teacher itself can't keep is refused before anything is trained."""

import msgspec
import pytest
from tests.cli.story import call

from stepdown.cli.ceilings import asked_ceiling, refuse_too_tight
from stepdown.cli.options import Session
from stepdown.config import Config, TeacherConfig
from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.calls import Answer, Call, Message, Request
from stepdown.core.ceilings import ceiling_of
from stepdown.core.labels import Label
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.errors import Refusal
from stepdown.workspace import Workspace
from stepdown.workspace.ceilings import publish_ceiling

A, B = {"": "cards"}, {"": "loans"}


def test_training_is_refused_until_a_larger_budget_is_stated(space, capsys):
    task = Workspace(space).tasks()[0]
    path = space / "tasks" / task.id / "ceiling.json"
    publish_ceiling(path, ceiling_of([(A, A)] * 80 + [(A, B)] * 20, "gpt-5.2"))
    options = ("--workspace", space, "--family", "linear", "--yes")
    assert call("train", task.name, *options) == 1
    err = capsys.readouterr().err
    assert "same answer in only 80.0 %" in err
    assert "--budget" in err
    assert call("train", task.name, *options, "--budget", "0.2") == 0
    # The proof says so too, and is none.
    assert call("prove", task.name, "--workspace", space) == 1
    out = capsys.readouterr().out
    assert "teacher agrees with itself" in out
    assert "100 items by gpt-5.2, asked 2 times each" in " ".join(out.split())


def test_what_is_known_of_one_model_says_nothing_of_another(space):
    task = Workspace(space).tasks()[0]
    noisy = msgspec.structs.replace(task, self_agreement=0.5, self_agreement_repeats=300)
    config = Config(teacher=TeacherConfig(base_url="http://127.0.0.1:1"))
    session = Session(Workspace(space), config)
    for teacher in ("", "gpt-5.2"):
        with pytest.raises(Refusal, match=r"only 50\.0 %"):
            refuse_too_tight(session, noisy, teacher)
    refuse_too_tight(session, noisy, "big")
    path = space / "tasks" / task.id / "ceiling.json"
    publish_ceiling(path, ceiling_of([(A, B)] * 30, "big"))
    with pytest.raises(Refusal, match="only 0 %"):
        refuse_too_tight(session, noisy, "big")


def answered(item, answer, repeat=0, why="again"):
    return Label(f"{item}-{repeat}", "t", item, "m", why, "answered", Answer(answer), repeat=repeat)


def logged(item, answer, model="m", tier=""):
    return Call(item, Request(model, (Message("user", item),)), Answer(answer), model, tier=tier)


def test_the_logs_answer_counts_where_it_is_the_teachers():
    anatomy = Anatomy("text", (Field("", "choice", values=("a", "b"), distinct=2),), 1, 1.0, 1.0)
    task = Task("t", "t", Signature(), anatomy, Verdict("distil"))
    labels = {
        "same": [answered("same", "a")],
        "other": [answered("other", "b")],
        "refused": [answered("refused", "I'm sorry, I can't help with that.")],
        "others": [answered("others", "a")],
        "twice": [answered("twice", "a", 0), answered("twice", "A ", 1)],
        # What was chosen is hard, or odd: it says nothing of the others.
        "chosen": [answered("chosen", "a", why="uncertain"), answered("chosen", "b", 1)],
    }
    calls = [
        logged("same", "a"),
        logged("same", "b"),
        logged("other", "a"),
        logged("refused", "a"),
        logged("others", "b", "x"),
        logged("twice", "b", tier="small"),
        logged("chosen", "a"),
    ]
    made = asked_ceiling(task, calls, labels, "now")
    assert (made.items, made.teacher, made.made_at) == (4, "m", "now")
    assert made.agreement.count == 2
    assert asked_ceiling(task, calls, {}, "now") is None
    assert asked_ceiling(task, calls, {"chosen": labels["chosen"]}, "now") is None
