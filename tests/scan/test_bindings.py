"""Names of a file."""

import ast

from stepdown.scan.bindings import bind


def test_a_class_is_seen_through_self_alone():
    tree = ast.parse(
        "from openai import OpenAI\n"
        "class A:\n    llm = OpenAI()\n    def f(self):\n        pass\n"
        "def g():\n    pass\n"
    )
    names = bind(tree)
    scopes = {scope.name: scope for scope in names.scopes.values()}
    inside = scopes["A.f"].client("self.llm")
    assert inside is not None
    assert inside.library == "openai"
    assert scopes["A.f"].client("llm") is None
    assert scopes["g"].client("llm") is None


def test_a_client_may_be_made_below_where_it_is_used():
    tree = ast.parse("from openai import OpenAI\ndef f():\n    return later\nlater = OpenAI()\n")
    names = bind(tree)
    made = names.top.client("f()")
    assert made is not None
    assert made.library == "openai"


def test_modules_are_clients_and_imports_have_full_names():
    names = bind(ast.parse("import openai as o\nfrom google import genai\n"))
    assert names.full("o.OpenAI") == "openai.OpenAI"
    assert names.full("genai.Client") == "google.genai.Client"
    found = names.client(ast.parse("o", mode="eval").body, names.top)
    assert found is not None
    assert found.library == "openai"
