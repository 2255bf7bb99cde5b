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
