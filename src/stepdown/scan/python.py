"""Call sites in Python, read from the syntax tree; nothing is imported or run."""

import ast
from collections.abc import Callable, Iterator
from typing import TypeGuard

from stepdown.core.sites import CallSite
from stepdown.scan.bindings import Bound, Names, Scope, bind, own_nodes
from stepdown.scan.libraries import FUNCTIONS, METHODS
from stepdown.scan.texts import static_text

__all__ = ["Constants", "python_sites"]

Constants = Callable[[str], ast.expr | None]
"""constants("package.module.NAME") → what another file of the code sets that name to."""

_RAW = ("with_raw_response.", "with_streaming_response.")
_PROMPTS = (
    *("messages", "input", "contents", "prompt", "system", "instructions", "system_prompt"),
    *("system_instruction", "user_prompt", "template"),
)
_SCHEMAS = ("response_format", "response_model", "output_type", "result_type", "text_format")
_BY_POSITION = frozenset(("langchain", "pydantic-ai", "dspy", "google-genai"))
_PROMPT_MAKERS = frozenset(("from_messages", "from_template", "from_strings"))
_LEAST_TEXT = 2
_LONGEST_PATH = 40
_PARTIAL = "functools.partial"

# A receiver that nobody can tell is taken for a client where the call looks like no other's.
_UNMISTAKABLE = (
    ("chat.completions.create", "openai", frozenset[str]()),
    ("chat.completions.parse", "openai", frozenset[str]()),
    ("chat.completions.stream", "openai", frozenset[str]()),
    ("responses.create", "openai", frozenset(("model", "input"))),
    ("responses.parse", "openai", frozenset(("model", "input"))),
    ("messages.create", "anthropic", frozenset(("model", "messages"))),
    ("messages.stream", "anthropic", frozenset(("model", "messages"))),
    ("models.generate_content", "google-genai", frozenset(("model", "contents"))),
)


def python_sites(source: str, file: str, constants: Constants) -> list[CallSite]:
    """Return the call sites of one file, in the order of their lines.

    Raises:
        SyntaxError: it is no Python.
        ValueError, RecursionError: it can't be parsed: a NUL byte, or nested too deeply.
    """
    tree = ast.parse(source)
    names = bind(tree)
    reader = _Reader(names, file, constants)
    found = [
        site
        for node, scope in names.scopes.items()
        for call in _calls(node, names)
        if (site := reader.site(call, scope)) is not None
    ]
    return sorted(found, key=lambda site: (site.line, site.method))


def _calls(node: ast.AST, names: Names) -> Iterator[ast.Call]:
    """Yield the calls in a scope, and those of its partials that are given away to be called."""
    for call in own_nodes(node):
        if isinstance(call, ast.Call):
            yield call
            given = call.args[1:] if _is_partial(call, names) else call.args
            for one in (*given, *(keyword.value for keyword in call.keywords)):
                if _is_partial(one, names):
                    yield ast.copy_location(ast.Call(one, [], []), one)


def _is_partial(node: ast.expr | None, names: Names) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and names.full(ast.unparse(node.func)) == _PARTIAL


class _Reader:
    """Reads calls of one file."""

    def __init__(self, names: Names, file: str, constants: Constants) -> None:
        self._names = names
        self._file = file
        self._constants = constants

    def site(self, call: ast.Call, scope: Scope) -> CallSite | None:
        """Return the site that a call is, or None."""
        call = self._whole(call, scope)
        known = self._known(call, scope)
        if known is None:
            return None
        client, method = known
        told = _keywords(call)
        made = [_keywords(one) for one in client.made]
        return CallSite(
            file=self._file,
            line=call.lineno,
            library=client.library,
            method=method or "call",
            function=scope.name,
            model=self._model(client, (told, *made), scope),
            prompts=self._prompts(call, client, scope),
            tools=self._tools((told, *made), scope),
            schema=_schema((told, *made), client),
        )

    def _whole(self, call: ast.Call, scope: Scope) -> ast.Call:
        """Return the call with what the partials that it calls were given before."""
        # A partial may be made of another, and a name stand for itself.
        for _ in range(_LONGEST_PATH):
            made = self._partial(call.func, scope)
            if made is None:
                break
            told = _keywords(call)
            kept = [keyword for keyword in made.keywords if keyword.arg not in told]
            whole = ast.Call(made.args[0], [*made.args[1:], *call.args], [*kept, *call.keywords])
            call = ast.copy_location(whole, call)
        return call

    def _partial(self, node: ast.expr | None, scope: Scope) -> ast.Call | None:
        for _ in range(_LONGEST_PATH):
            if not isinstance(node, ast.Name | ast.Attribute):
                break
            node = scope.value(ast.unparse(node))
        return node if _is_partial(node, self._names) and node.args else None

    def _known(self, call: ast.Call, scope: Scope) -> tuple[Bound, str] | None:
        function = self._names.full(ast.unparse(call.func))
        if function in FUNCTIONS:
            return Bound(FUNCTIONS[function]), function.partition(".")[2]
        path = ""
        node: ast.expr = call.func
        # Names may stand for each other in a circle.
        for _ in range(_LONGEST_PATH):
            client = self._names.client(node, scope)
            if client is not None:
                for raw in _RAW:
                    path = path.replace(raw, "")
                return (client, path) if path in METHODS[client.library] else None
            if not isinstance(node, ast.Name | ast.Attribute):
                break
            bound = scope.value(ast.unparse(node))
            if isinstance(bound, ast.Attribute):
                # A method, or a part of a client, under a name of its own.
                node = bound
                continue
            if not isinstance(node, ast.Attribute):
                break
            path = f"{node.attr}.{path}" if path else node.attr
            node = node.value
        keywords = {keyword.arg for keyword in call.keywords}
        for ending, library, needed in _UNMISTAKABLE:
            if (path == ending or path.endswith(f".{ending}")) and needed <= keywords:
                return Bound(library), ending
        return None

    def _value(self, scope: Scope) -> Callable[[str], ast.expr | None]:
        def lookup(name: str) -> ast.expr | None:
            found = scope.value(name)
            return found if found is not None else self._constants(self._names.full(name))

        return lookup

    def _text(self, node: ast.expr | None, scope: Scope) -> str | None:
        return None if node is None else static_text(node, self._value(scope))

    def _model(
        self, client: Bound, told: "tuple[dict[str, ast.expr], ...]", scope: Scope
    ) -> str | None:
        for keywords in told:
            for name in ("model", "model_name", "deployment_name", "azure_deployment"):
                text = self._text(keywords.get(name), scope)
                if text is not None:
                    return text
        for made in client.made:
            # Some take the model as their first argument, without its name.
            if made.args and client.library in ("pydantic-ai", "langchain", "google-genai"):
                text = self._text(made.args[0], scope)
                if text is not None and " " not in text:
                    return text
        return None

    def _prompts(self, call: ast.Call, client: Bound, scope: Scope) -> tuple[str, ...]:
        found: list[str] = []
        for one in (*client.made, call):
            keywords = _keywords(one)
            for name in _PROMPTS:
                if name in keywords:
                    found += self._texts(keywords[name], scope)
            maker = one.func.attr if isinstance(one.func, ast.Attribute) else ""
            positional = one is call and client.library in _BY_POSITION
            if one.args and (positional or maker in _PROMPT_MAKERS or client.library == "dspy"):
                found += self._texts(one.args[0], scope)
        texts = (text for text in found if len(text.replace("{}", "").strip()) >= _LEAST_TEXT)
        return tuple(dict.fromkeys(texts))

    def _texts(self, node: ast.expr, scope: Scope) -> list[str]:
        """Return the texts of messages: dicts with content, (role, text) pairs, message objects."""
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [text for item in items for text in self._message(item, scope)]
            case ast.Name() | ast.Attribute():
                value = self._value(scope)(ast.unparse(node))
                if isinstance(value, ast.List | ast.Tuple | ast.Dict):
                    return self._texts(value, scope)
            case ast.Dict():
                return self._message(node, scope)
            case ast.Call() if not isinstance(node.func, ast.Attribute):
                return self._message(node, scope)
            case _:
                pass
        text = self._text(node, scope)
        return [] if text is None else [text]

    def _message(self, node: ast.expr, scope: Scope) -> list[str]:
        if isinstance(node, ast.Starred):
            return self._texts(node.value, scope)
        if isinstance(node, ast.Dict):
            fields = {
                key.value: value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            }
            inner = [fields[name] for name in ("content", "text", "parts") if name in fields]
            return [text for value in inner for text in self._texts(value, scope)]
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:
            text = self._text(node.elts[1], scope)
            return [] if text is None else [text]
        if isinstance(node, ast.Call):
            given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "content")]
            texts = [self._text(value, scope) for value in given]
            return [text for text in texts if text is not None]
        text = self._text(node, scope)
        return [] if text is None else [text]

    def _tools(self, told: "tuple[dict[str, ast.expr], ...]", scope: Scope) -> tuple[str, ...]:
        for keywords in told:
            given = keywords.get("tools") or keywords.get("functions")
            if isinstance(given, ast.Name | ast.Attribute):
                given = self._value(scope)(ast.unparse(given)) or given
            if isinstance(given, ast.List | ast.Tuple):
                return tuple(name for item in given.elts if (name := self._tool(item, scope)))
        return ()

    def _tool(self, node: ast.expr, scope: Scope) -> str | None:
        if isinstance(node, ast.Name | ast.Attribute):
            value = self._value(scope)(ast.unparse(node))
            return self._tool(value, scope) if isinstance(value, ast.Dict) else ast.unparse(node)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Dict):
                for key, value in zip(inner.keys, inner.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "name":
                        return self._text(value, scope)
        return None


def _keywords(call: ast.Call) -> dict[str, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def _schema(told: "tuple[dict[str, ast.expr], ...]", client: Bound) -> str | None:
    for keywords in told:
        for name in _SCHEMAS:
            if isinstance(keywords.get(name), ast.Name | ast.Attribute):
                return ast.unparse(keywords[name])
    for made in client.made:
        if isinstance(made.func, ast.Attribute) and made.func.attr == "with_structured_output":
            return ast.unparse(made.args[0]) if made.args else None
    return None
