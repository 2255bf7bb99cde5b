"""What names stand for, from file to file."""

import ast
import functools
import itertools

import pytest

from stepdown.scan.bindings import Names
from stepdown.scan.scopes import read_code

FILES = {
    "app.llm": (
        "from openai import OpenAI\nfrom app.more import other\nfrom app.llm import odd\n"
        "client = OpenAI()\ndef made():\n    return OpenAI()\n"
    ),
    "app.more": "import litellm\nfrom app.llm import client as other\n",
}


def read(code):
    @functools.cache
    def modules(name, file):
        return read_code(FILES[name], name).top if name in FILES else None

    found = read_code(code, "x.py")
    return Names(modules), found.top, ast.parse(code).body[-1].value


def library(code):
    names, scope, last = read(code)
    known = names.client(last, scope)
    return known and known.library


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from app.llm import client as c\nc", "openai"),
        ("import app.llm\napp.llm.client", "openai"),
        ("from app import llm\nllm.made()", "openai"),
        ("from app.llm import other\nother", "openai"),
        ("from app.llm import OpenAI\nOpenAI()", "openai"),
        ("from app.llm import odd\nodd", None),
        ("from app.llm import made\nmade", None),
        ("from app import openai\nopenai", None),
        ("import openai as o\no", "openai"),
        ("import openai\nopenai = 1\nopenai", None),
        ("class OpenAI: ...\nOpenAI()", None),
        (
            "from langchain_core.language_models import BaseChatModel\nx: BaseChatModel\nx",
            "langchain",
        ),
        ("from openai import OpenAI\nx: 'OpenAI | None' = None\nx", "openai"),
        ("from pydantic_ai import Agent\nx: Agent[int, str]\nx", "pydantic-ai"),
        ("from typing import *\nfrom openai import OpenAI\nx: Optional[OpenAI]\nx", "openai"),
        ("from openai import OpenAI\nx: list[OpenAI]\nx", None),
        ("from openai import OpenAI\nx: type[OpenAI]\nx", None),
        ("from openai import OpenAI\nx: Callable[[], OpenAI]\nx", None),
        (
            "from google import genai\nc = genai.Client()\nc.aio.chats.create(model='m')",
            "google-genai",
        ),
        ("from openai import OpenAI\nc = OpenAI()\nc.chats.create(model='m')", None),
        ("a = b\nb = a\na", None),
    ],
)
def test_clients(code, expected):
    assert library(code) == expected


def test_a_chain_knows_its_prompts_and_its_model():
    names, scope, last = read(
        "from langchain_openai import ChatOpenAI as C\n{'a': b} | P.from_template('hi') | C() | c"
    )
    known = names.client(last, scope)
    assert known is not None
    assert [ast.unparse(call) for call, _ in known.made] == [
        "P.from_template('hi')",
        "C()",
    ]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("A = 'a'\nA", "'a'"),
        ("class P:\n    A = 'a'\nP.A", "'a'"),
        ("A = None\nA = 'a'\nA", "'a'"),
        ("if x:\n    A = 'a'\nelse:\n    A = 'b'\nA", None),
        ("if x:\n    A = 'a'\nelse:\n    A = 'a'\nA", "'a'"),
        ("(A, B), *C = ('a', 'b'), 'c'\nA", None),
        ("A, B = 'a', 'b'\nB", "'b'"),
        ("nothing.here", None),
    ],
)
def test_values(code, expected):
    names, scope, last = read(code)
    found = names.value(last, scope)
    assert (found and ast.unparse(found[0])) == expected


def test_names_in_a_circle_are_the_same_in_whichever_order_they_are_asked():
    circle = {"a": "x or b", "b": "a or c or d", "c": "b or g()", "d": "c or OpenAI()"}
    code = "from openai import OpenAI\n"
    for name, value in circle.items():
        code += f"def set_{name}(x):\n    global {name}\n    {name} = {value}\n"
    for name, value in {"g": "a or h()", "h": "g()", "no": "none()", "none": "no()"}.items():
        code += f"def {name}():\n    return {value}\n"
    _, scope, _ = read(code + "0")
    # On a line below all of it.
    asked = [
        ast.parse("\n" * 99 + f"({one})", mode="eval").body
        for one in (*circle, "g()", "h()", "none()")
    ]
    for order in itertools.permutations(asked):
        names = Names(lambda module, file: None)
        known = {ast.unparse(one): names.client(one, scope) for one in order}
        assert known.pop("none()") is None
        assert {one and one.library for one in known.values()} == {"openai"}
