"""Texts of expressions."""

import ast

import pytest

from stepdown.scan.texts import static_text

NAMES = {"A": "'one'", "me.B": "f'{x} two'", "LOOP": "LOOP"}


def lookup(node):
    name = ast.unparse(node)
    return (ast.parse(NAMES[name], mode="eval").body, lookup) if name in NAMES else None


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("'a' 'b'", "ab"),
        ("f'a {x!r} b'", "a {} b"),
        ("f'a {A}'", "a one"),
        ("'a ' + x + ' b'", "a {} b"),
        ("'a %s and %(name)s' % x", "a {} and {}"),
        ("'a {} {name} {{kept}}'.format(1)", "a {} {} {kept}"),
        ("'  a '.strip()", "a"),
        ("textwrap.dedent('''\n  a\n  b\n''')", "a\nb"),
        ("'\\n'.join(['a', x, 'b'])", "a\n{}\nb"),
        ("me.B", "{} two"),
        ("unknown", None),
        ("x + y", None),
        ("LOOP", None),
        ("5", None),
    ],
)
def test_what_the_code_alone_says(code, text):
    assert static_text(ast.parse(code, mode="eval").body, lookup) == text


def doubling(times, line):
    names = {f"p{i + 1}": line.replace("p", f"p{i}") for i in range(times)} | {"p0": "'x'"}
    nodes = {name: ast.parse(code, mode="eval").body for name, code in names.items()}
    asked = []

    def lookup(node):
        asked.append(node)
        return nodes[node.id], lookup

    return static_text(nodes[f"p{times}"], lookup), len(asked)


def test_what_is_put_together_of_itself_is_read_once():
    assert doubling(9, "p + p") == ("x" * 512, 18)
    assert doubling(5, "f'{p}{p}{p}{p}'") == ("x" * 1024, 20)


def test_a_text_far_too_long_is_unknown():
    text, _ = doubling(6, f"''.join([{'p, ' * 99}])")
    assert text is None
