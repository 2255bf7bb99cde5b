"""Syntax trees of JavaScript."""

import pytest

from stepdown.scan.syntax import (
    SUFFIXES,
    TEXT,
    pairs,
    parse,
    said_parts,
    spelled,
    unquoted,
    unwrapped,
    walk,
)

pytest.importorskip("tree_sitter_typescript")


def first(source, kind, grammar="javascript"):
    return next(node for node, _ in walk(parse(source, grammar), "") if node.type == kind)


def test_objects_by_their_names():
    found = pairs(first(b"f({ a: 1, 'b': 2, c, d() {} })", "object"))
    assert {name: spelled(node)[:1] for name, node in found.items()} == {
        "a": "1",
        "b": "2",
        "c": "c",
        "d": "d",
    }
    assert pairs(None) == {}


def test_what_a_template_holds():
    node = first(b"x = `a ${b} \\n`", "template_string")
    assert node.type in TEXT
    parts = [part if isinstance(part, str) else spelled(part) for part in said_parts(node)]
    assert "".join(parts) == "a b \n"
    assert unquoted(first(b"'q'", "string")) == "q"


@pytest.mark.parametrize("grammar", sorted(set(SUFFIXES.values())))
def test_every_grammar_parses(grammar):
    assert first(b"class A { f() { return g(1); } }", "call_expression", grammar) is not None


def test_functions_are_named_by_what_is_around_them():
    names = {name for _, name in walk(parse(b"class A { f() { x } }", "javascript"), "")}
    assert "A.f" in names


def test_nodes_come_in_the_order_of_the_file():
    starts = [n.start_byte for n, _ in walk(parse(b"a(b, () => c); d = [e, f]", "javascript"), "")]
    assert starts == sorted(starts)


def test_types_and_brackets_around_an_expression():
    made = first(b"x = (<any>(await y!)) as T satisfies U", "assignment_expression", "typescript")
    assert spelled(unwrapped(made.child_by_field_name("right"))) == "y"


def test_a_broken_file_that_the_parser_finds_no_end_of():
    with pytest.raises(ValueError, match="failed"):
        parse(b'o={c:{c"o"/*});s.c{ ', "tsx")
    long = parse(b"f({ a: [1, 2], b: `x ${y}` });\n" * 3000, "tsx")
    assert long.named_child_count == 3000
