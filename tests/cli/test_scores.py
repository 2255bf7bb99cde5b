"""The workspace's complexity score: published whole, checked before use, off when it is useless."""

import msgspec
import pytest

from stepdown.cli.options import Session
from stepdown.cli.scores import newest_report, open_score, publish_score, tell_score
from stepdown.config import Config, RoutingConfig
from stepdown.errors import ArtefactError
from stepdown.route.learn import learn
from stepdown.route.rows import Compared, prompted
from stepdown.workspace import Workspace


@pytest.fixture(scope="module")
def rows():
    """Sums are hard nine times in ten, greetings one time in ten."""
    return [
        Compared(
            prompted(f"{'prove the sum' if at % 2 else 'greet the guest'} {at}"),
            (at // 2) % 10 < 9 if at % 2 else (at // 2) % 10 == 0,
            "x",
        )
        for at in range(400)
    ]


@pytest.fixture(scope="module")
def learned(rows):
    return learn(rows)


def test_a_published_score_is_opened_and_says_what_it_learnt(learned, rows, tmp_path):
    workspace = Workspace(tmp_path)
    name = publish_score(workspace, learned.score, learned.report, rows, "2026-11-01T00:00:00Z")
    score, problem = open_score(workspace)
    assert problem == ""
    assert score is not None
    hard, easy = (score(prompted(text)) for text in ("prove the sum 7", "greet the guest 7"))
    assert hard is not None
    assert easy is not None
    assert hard > 0.5 > easy
    assert newest_report(workspace) == (name, learned.report)
    again = publish_score(workspace, learned.score, learned.report, rows, "2026-11-02T00:00:00Z")
    assert again == name


def test_without_a_score_there_is_a_next_step(tmp_path):
    assert newest_report(Workspace(tmp_path)) is None
    score, problem = open_score(Workspace(tmp_path))
    assert score is None
    assert "stepdown routing" in problem


def test_a_useless_score_is_off_and_says_why(learned, rows, tmp_path):
    useless = msgspec.structs.replace(learned.report, usable=False, why="It is a coin.")
    publish_score(Workspace(tmp_path), learned.score, useless, rows, "2026-11-01T00:00:00Z")
    score, problem = open_score(Workspace(tmp_path))
    assert score is None
    assert "switched off. It is a coin." in problem


@pytest.mark.parametrize("file", ["score.json", "score.safetensors", "manifest.json"])
def test_a_changed_score_is_refused(learned, rows, tmp_path, file):
    workspace = Workspace(tmp_path)
    name = publish_score(workspace, learned.score, learned.report, rows, "2026-11-01T00:00:00Z")
    path = tmp_path / "routing" / name / file
    data = path.read_bytes()
    path.write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
    score, problem = open_score(workspace)
    assert score is None
    assert "was changed" in problem
    with pytest.raises(ArtefactError, match=name):
        newest_report(workspace)


def test_it_is_told_in_one_line_with_whether_it_is_used(learned, rows, tmp_path, capsys):
    workspace = Workspace(tmp_path)
    tell_score(Session(workspace, Config()))
    assert capsys.readouterr().err == ""
    publish_score(workspace, learned.score, learned.report, rows, "2026-11-01T00:00:00Z")
    for enabled in (False, True):
        tell_score(Session(workspace, Config(routing=RoutingConfig(enabled=enabled))))
        said = " ".join(capsys.readouterr().err.split())
        assert f"[routing] is {'on' if enabled else 'off'}." in said
        assert "AUROC 0." in said
    for path in tmp_path.glob("routing/*/score.json"):
        path.write_text("{}")
    tell_score(Session(workspace, Config()))
    assert "was changed" in capsys.readouterr().err
