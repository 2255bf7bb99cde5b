"""A folder of code."""

import pytest

from stepdown.errors import InputError
from stepdown.scan import scan_code


def put(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_folder_is_scanned_without_what_is_installed_in_it(tmp_path):
    call = (
        "from openai import OpenAI\nfrom app.prompts import P\nOpenAI().responses.create(input=P)"
    )
    put(tmp_path, "src/app/main.py", call)
    put(tmp_path, "src/app/prompts.py", "P = 'Be brief, please.'\n")
    put(tmp_path, "node_modules/x/index.js", "c.chat.completions.create({})")
    put(tmp_path, ".venv/lib/x.py", call)
    put(tmp_path, "broken.py", "import openai\ndef f(:")
    put(tmp_path, "readme.md", "OpenAI().responses.create()")
    found = scan_code(tmp_path)
    assert [(s.file, s.line, s.prompts) for s in found.sites] == [
        ("src/app/main.py", 3, ("Be brief, please.",))
    ]
    assert (found.files, found.unread) == (3, {"broken.py": "SyntaxError"})


def test_what_other_files_hand_on_is_followed(tmp_path):
    put(tmp_path, "app/__init__.py", "from .llm import llm\n")
    put(tmp_path, "app/llm.py", "from langchain_openai import ChatOpenAI\nllm = ChatOpenAI()\n")
    put(tmp_path, "app/settings.py", "MODEL = 'm'\n")
    put(tmp_path, "app/use.py", "from . import llm\nfrom .settings import MODEL as M\n"
        "llm.invoke('Use it', model=M)\n")  # fmt: skip
    put(tmp_path, "jobs/run.py", "import app\napp.llm.invoke('Run it')\n")
    put(tmp_path, "jobs/other.py", "from app.settings import llm\nllm.invoke('Who knows')\n")
    put(tmp_path, "latin.py", "# -*- coding: latin-1 -*-\nimport openai\n")
    (tmp_path / "latin.py").write_bytes((tmp_path / "latin.py").read_bytes() + b"x = '\xe9'\n")
    found = scan_code(tmp_path)
    assert [(s.place, s.model) for s in found.sites] == [
        ("app/use.py:3", "m"),
        ("jobs/run.py:2", None),
    ]
    assert not found.unread


def test_what_is_no_code_is_refused(tmp_path):
    with pytest.raises(InputError, match="no Python"):
        scan_code(tmp_path)
    with pytest.raises(InputError, match="There is no folder"):
        scan_code(tmp_path / "x")
