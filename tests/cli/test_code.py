"""`audit --code`: the code beside the log."""

import json
import subprocess

from tests.cli.story import call, easy, write

APP = """
from openai import OpenAI
OpenAI().chat.completions.create(model="m", messages=[{"role": "system", "content": %r}])
OpenAI().responses.create(model="m", input="Summarise the meeting for those who were away.")
"""


def test_tasks_and_call_sites_are_joined(tmp_path, capsys):
    items = list(easy(300))
    system = items[0]["request"]["messages"][0]["content"]
    log = write(tmp_path / "log.jsonl", items)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(APP % system)
    page = tmp_path / "audit.html"
    options = ("--code", tmp_path / "code", "--workspace", tmp_path / "w", "--html", page)
    assert call("audit", log, *options, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    (task,) = report["tasks"]
    assert report["code"]["tasks"] == {task["id"]: ["app.py:3"]}
    assert report["code"]["silent"] == ["app.py:4"]
    assert "app.py:3" in page.read_text()
    assert call("audit", log, *options) == 0
    captured = capsys.readouterr()
    assert "app.py:3" in captured.out
    assert "app.py:4" in captured.err
    assert max(map(len, captured.out.splitlines())) <= 100
    assert call("audit", log, "--code", tmp_path / "w", "--workspace", tmp_path / "w") == 2


def test_what_a_change_costs_a_month(tmp_path, capsys):
    items = list(easy(300))
    system = items[0]["request"]["messages"][0]["content"]
    log = write(tmp_path / "log.jsonl", items)
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text((APP % system).replace('"m"', '"gpt-4o-mini"'))
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        name = ("-c", "user.name=x", "-c", "user.email=x@x")
        subprocess.run(["git", "-C", code, *name, *words], check=True, capture_output=True)
    (code / "app.py").write_text((APP % system).replace('"m"', '"gpt-4o"'))
    options = ("--code", code, "--workspace", tmp_path / "w", "--diff", "HEAD")
    assert call("audit", log, *options, "--json") == 0
    changes = json.loads(capsys.readouterr().out)["code"]["changes"]
    assert [(one["change"], one["site"]["model"]) for one in changes] == [
        ("changed", "gpt-4o"),
        ("changed", "gpt-4o"),
    ]
    assert changes[0]["usd_month"] > 0
    assert changes[1]["usd_month"] is None
    assert call("audit", log, *options) == 0
    captured = capsys.readouterr()
    assert "gpt-4o-mini → gpt-4o" in captured.out
    assert "The change adds +$" in captured.err
    assert max(map(len, captured.out.splitlines())) <= 100
    assert call("audit", log, "--workspace", tmp_path / "w", "--diff", "HEAD") == 2


def test_a_slip_in_what_to_scan_costs_no_audit(tmp_path, capsys):
    log = write(tmp_path / "log.jsonl", easy(60))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(APP % "x")
    for options in (("--code", tmp_path / "nowhere"), ("--code", tmp_path / "code", "--diff", "x")):
        assert call("audit", log, *options, "--workspace", tmp_path / "w") == 2
        assert "reading" not in capsys.readouterr().err
        assert not (tmp_path / "w").exists()


def test_a_prompt_that_moves_out_of_sight_is_no_saving(tmp_path, capsys):
    items = list(easy(300))
    log = write(tmp_path / "log.jsonl", items)
    code = tmp_path / "code"
    code.mkdir()
    text = (
        "from openai import OpenAI\n"
        f"SYSTEM = {items[0]['request']['messages'][0]['content']!r}\n"
        "def route(t):\n"
        "    return OpenAI().chat.completions.create(model='gpt-4o', messages=["
        "{'role': 'system', 'content': SYSTEM}, {'role': 'user', 'content': t}])\n"
    )
    (code / "route.py").write_text(text)
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        name = ("-c", "user.name=x", "-c", "user.email=x@x")
        subprocess.run(["git", "-C", code, *name, *words], check=True, capture_output=True)
    head, system, *rest = text.splitlines(keepends=True)
    (code / "prompts.py").write_text(system)
    changes = {}
    for place in ("prompts", ".prompts", "elsewhere", "built"):
        built = "".join(rest).replace("[{'role'", "build(t) or [{'role'")
        moved = f"from {place} import SYSTEM, build\n"
        (code / "route.py").write_text(
            head + moved + (built if place == "built" else "".join(rest))
        )
        options = ("--code", code, "--workspace", tmp_path / "w", "--diff", "HEAD", "--json")
        assert call("audit", log, *options) == 0
        told = json.loads(capsys.readouterr().out)["code"]["changes"]
        changes[place] = [one["usd_month"] for one in told]
    assert changes == {"prompts": [], ".prompts": [], "elsewhere": [None], "built": [None]}
