"""Call sites in Python, read from the syntax tree; nothing is imported or run."""

import ast
from collections.abc import Iterator, Mapping
from typing import TypeGuard

from stepdown.core.sites import CallSite
from stepdown.scan.bindings import Bound, Modules, Names, keywords_of
from stepdown.scan.libraries import FUNCTIONS, METHODS, THREADS
from stepdown.scan.scopes import Scope, read_code
from stepdown.scan.texts import HOLE, Lookup, static_text

__all__ = ["python_sites"]

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
_CONTENTS = ("content", "text", "parts", "template")
_MESSAGE_MAKERS = frozenset(("dict", "from_text", *_PROMPT_MAKERS))
_DEEPEST = 20
_MOST_TEXTS = 1000
_COMPOUND = (ast.List, ast.Tuple, ast.Dict, ast.BinOp, ast.Call)

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


_Told = tuple[Mapping[str, ast.expr], Scope]
"""What a call is given by name, and where that stands."""


def python_sites(source: str | bytes, file: str, modules: Modules) -> list[CallSite]:
    """Return the call sites of one file, in the order of their lines.

    Raises:
        SyntaxError: it is no Python.
        ValueError, RecursionError: it can't be parsed: a NUL byte, or nested too deeply.
    """
    reader = _Reader(Names(modules), file)
    found = [
        site
        for made, scope in read_code(source, file).calls
        for call in reader.calls(made, scope)
        if (site := reader.site(call, scope)) is not None
    ]
    return sorted(found, key=lambda site: (site.line, site.method))


class _Reader:
    """Reads calls of one file."""

    def __init__(self, names: Names, file: str) -> None:
        self._names = names
        self._file = file
        self._lookups: dict[Scope, Lookup] = {}
        self._known_texts: dict[tuple[ast.expr, Scope, bool, int], list[str]] = {}

    def calls(self, call: ast.Call, scope: Scope) -> Iterator[ast.Call]:
        """Yield a call, and those of the partials that it gives away to be called."""
        yield call
        passed_on = self._is_partial(call, scope) or self._is_threaded(call, scope)
        given = call.args[1:] if passed_on else call.args
        for one in (*given, *(keyword.value for keyword in call.keywords)):
            if self._is_partial(one, scope):
                yield ast.copy_location(ast.Call(one, [], []), one)

    def _is_partial(self, node: ast.expr | None, scope: Scope) -> TypeGuard[ast.Call]:
        return isinstance(node, ast.Call) and self._names.full(node.func, scope) == _PARTIAL

    def _is_threaded(self, call: ast.Call, scope: Scope) -> bool:
        return bool(call.args) and self._names.full(call.func, scope) in THREADS

    def site(self, call: ast.Call, scope: Scope) -> CallSite | None:
        """Return the site that a call is, or None."""
        call = self._whole(call, scope)
        known = self._known(call, scope)
        if known is None:
            return None
        client, method = known
        told = ((keywords_of(call), scope), *((keywords_of(one), at) for one, at in client.made))
        texts = [*self._prompts(call, client, scope)]
        prompts = [one for one in texts if len(one.replace(HOLE, "").strip()) >= _LEAST_TEXT]
        return CallSite(
            file=self._file,
            line=call.lineno,
            library=client.library,
            method=method or "call",
            function=scope.name,
            model=self._model(client, told),
            prompts=tuple(dict.fromkeys(prompts)),
            tools=self._tools(told),
            schema=_schema(told, client),
            unseen=sum(one.count(HOLE) for one in texts if one not in prompts),
        )

    def _whole(self, call: ast.Call, scope: Scope) -> ast.Call:
        """Return the call with what the partials that it calls were given before."""
        if self._is_threaded(call, scope):
            called = ast.Call(call.args[0], call.args[1:], call.keywords)
            call = ast.copy_location(called, call)
        # A partial may be made of another, and a name stand for itself.
        for _ in range(_LONGEST_PATH):
            made = self._partial(call.func, scope)
            if made is None:
                break
            told = keywords_of(call)
            kept = [keyword for keyword in made.keywords if keyword.arg not in told]
            whole = ast.Call(made.args[0], [*made.args[1:], *call.args], [*kept, *call.keywords])
            call = ast.copy_location(whole, call)
        return call

    def _partial(self, node: ast.expr, scope: Scope) -> ast.Call | None:
        for _ in range(_LONGEST_PATH):
            if not isinstance(node, ast.Name | ast.Attribute):
                break
            found = self._names.value(node, scope)
            if found is None:
                return None
            node, scope = found
        return node if self._is_partial(node, scope) and node.args else None

    def _known(self, call: ast.Call, scope: Scope) -> tuple[Bound, str] | None:
        function = self._names.full(call.func, scope)
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
            found = self._names.path(node, scope)
            if found is not None:
                # A method, or a part of a client, under a name of its own.
                node, scope = found
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

    def _lookup(self, scope: Scope) -> Lookup:
        def lookup(node: ast.expr) -> tuple[ast.expr, Lookup] | None:
            found = self._names.value(node, scope)
            return found and (found[0], self._lookup(found[1]))

        return self._lookups.setdefault(scope, lookup)

    def _text(self, node: ast.expr | None, scope: Scope) -> str | None:
        return None if node is None else static_text(node, self._lookup(scope))

    def _model(self, client: Bound, told: tuple[_Told, ...]) -> str | None:
        for keywords, scope in told:
            for name in ("model", "model_name", "deployment_name", "azure_deployment"):
                text = self._text(keywords.get(name), scope)
                if text is not None:
                    return text
        for made, scope in client.made:
            # Some take the model as their first argument, without its name.
            if made.args and client.library in ("pydantic-ai", "langchain", "google-genai"):
                text = self._text(made.args[0], scope)
                if text is not None and " " not in text:
                    return text
        return None

    def _prompts(self, call: ast.Call, client: Bound, scope: Scope) -> Iterator[str]:
        """Yield the texts that are sent, `{}` for what stands elsewhere."""
        for one, at in (*client.made, (call, scope)):
            keywords = keywords_of(one)
            for name in _PROMPTS:
                if name in keywords:
                    yield from self._texts(keywords[name], at)
            if client.library == "google-genai" and "config" in keywords:
                config, inside = self._names.value(keywords["config"], at) or (
                    keywords["config"],
                    at,
                )
                system = _fields(config).get("system_instruction")
                if system is not None:
                    yield from self._texts(system, inside)
            if one is call and any(keyword.arg is None for keyword in one.keywords):
                yield HOLE
            maker = one.func.attr if isinstance(one.func, ast.Attribute) else ""
            positional = one is call and client.library in _BY_POSITION
            if one.args and (positional or maker in _PROMPT_MAKERS or client.library == "dspy"):
                yield from self._texts(one.args[0], at)

    def _texts(self, node: ast.expr, scope: Scope, item: bool = False, depth: int = 0) -> list[str]:
        """Return the texts of messages, read once: `[*p, *p]` of such a list doubles each time."""
        key = (node, scope, item, depth)
        if key not in self._known_texts:
            self._known_texts[key] = self._read(*key)[:_MOST_TEXTS]
        return self._known_texts[key]

    def _read(self, node: ast.expr, scope: Scope, item: bool, depth: int) -> list[str]:
        """Return the texts of messages: dicts with content, (role, text) pairs, message objects."""
        items: list[ast.expr] | None = None
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items):
                items = items[1:] if isinstance(node, ast.Tuple) and item else items
            case ast.Starred(value=value):
                return self._texts(value, scope, False, depth)
            case ast.Name() | ast.Attribute():
                found = self._names.value(node, scope)
                if found and isinstance(found[0], _COMPOUND) and depth < _DEEPEST:
                    return self._texts(*found, item, depth + 1)
            case ast.Dict():
                items = _contents(node)
            case ast.Call() if _is_message(node):
                items = [*node.args[:1], *_contents(node)]
            case _:
                pass
        text = None if items is not None else self._text(node, scope)
        if text is None and isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            items = [ast.Starred(node.left), ast.Starred(node.right)]
        if items is None:
            return [HOLE if text is None else text]
        return [text for one in items for text in self._texts(one, scope, True, depth + 1)]

    def _tools(self, told: tuple[_Told, ...]) -> tuple[str, ...]:
        for keywords, scope in told:
            given = keywords.get("tools") or keywords.get("functions")
            if given is not None:
                given, at = self._names.value(given, scope) or (given, scope)
                if isinstance(given, ast.List | ast.Tuple):
                    return tuple(name for item in given.elts if (name := self._tool(item, at)))
        return ()

    def _tool(self, node: ast.expr, scope: Scope) -> str | None:
        if isinstance(node, ast.Name | ast.Attribute):
            found = self._names.value(node, scope)
            if found is None or not isinstance(found[0], ast.Dict):
                return ast.unparse(node)
            node, scope = found
        for inner in ast.walk(node):
            if isinstance(inner, ast.Dict) and "name" in _fields(inner):
                return self._text(_fields(inner)["name"], scope)
        return None


def _is_message(call: ast.Call) -> bool:
    """Say whether a call makes a message: `HumanMessage(…)`, `dict(…)`, `Part.from_text(…)`."""
    name = ast.unparse(call.func).rpartition(".")[2]
    return (name[:1].isupper() and name != "MessagesPlaceholder") or name in _MESSAGE_MAKERS


def _contents(node: ast.expr) -> list[ast.expr]:
    fields = _fields(node)
    return [fields[name] for name in _CONTENTS if name in fields]


def _fields(node: ast.expr) -> Mapping[str, ast.expr]:
    """Return what a dictionary, or a call that makes something, holds by name."""
    if isinstance(node, ast.Call):
        return keywords_of(node)
    if not isinstance(node, ast.Dict):
        return {}
    pairs = zip(node.keys, node.values, strict=True)
    return {str(key.value): value for key, value in pairs if isinstance(key, ast.Constant)}


def _schema(told: tuple[_Told, ...], client: Bound) -> str | None:
    for keywords, _ in told:
        for name in _SCHEMAS:
            if isinstance(keywords.get(name), ast.Name | ast.Attribute):
                return ast.unparse(keywords[name])
    for made, _ in client.made:
        if isinstance(made.func, ast.Attribute) and made.func.attr == "with_structured_output":
            return ast.unparse(made.args[0]) if made.args else None
    return None
