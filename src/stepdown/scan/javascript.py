"""Call sites in JavaScript and TypeScript, read by tree-sitter's grammars (extra `code`)."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from stepdown.core.sites import CallSite
from stepdown.scan.syntax import (
    TEXT,
    Node,
    named,
    pairs,
    parse,
    said_parts,
    spelled,
    unquoted,
    unwrapped,
    walk,
)

__all__ = ["javascript_sites"]

_MODULES: Mapping[str, tuple[str, frozenset[str]]] = {
    "openai": ("openai", frozenset(("default", "OpenAI", "AzureOpenAI"))),
    "@anthropic-ai/sdk": ("anthropic", frozenset(("default", "Anthropic"))),
    "@anthropic-ai/bedrock-sdk": ("anthropic", frozenset(("default", "AnthropicBedrock"))),
    "@anthropic-ai/vertex-sdk": ("anthropic", frozenset(("default", "AnthropicVertex"))),
    "@google/genai": ("google-genai", frozenset(("GoogleGenAI",))),
    "@instructor-ai/instructor": ("instructor", frozenset(("default", "Instructor"))),
}
_LANGCHAIN = "@langchain/"
_MODELS = ("Chat", "AzureChat")
_NO_MODELS = ("ChatPrompt", "ChatMessage")
_SAME = frozenset(("withStructuredOutput", "bindTools", "pipe"))
_FUNCTIONS = frozenset(("generateText", "streamText", "generateObject", "streamObject"))
_METHODS: Mapping[str, frozenset[str]] = {
    "openai": frozenset(
        (
            *(f"chat.completions.{verb}" for verb in ("create", "parse", "stream", "runTools")),
            *(f"beta.chat.completions.{verb}" for verb in ("create", "parse", "stream")),
            *("responses.create", "responses.parse", "responses.stream", "completions.create"),
        )
    ),
    "anthropic": frozenset(
        (
            *("messages.create", "messages.stream", "messages.parse"),
            *("beta.messages.create", "beta.messages.stream"),
        )
    ),
    "google-genai": frozenset(("models.generateContent", "models.generateContentStream")),
    "instructor": frozenset(("chat.completions.create",)),
    "langchain": frozenset(("invoke", "stream", "batch")),
}
_UNMISTAKABLE = (
    ("chat.completions.create", "openai", frozenset[str]()),
    ("chat.completions.parse", "openai", frozenset[str]()),
    ("responses.create", "openai", frozenset(("model", "input"))),
    ("messages.create", "anthropic", frozenset(("model", "messages"))),
    ("models.generateContent", "google-genai", frozenset(("model", "contents"))),
)
_NAMES = frozenset(("identifier", "member_expression", "shorthand_property_identifier"))
_DEFAULTS = ("||", "??")
_PROMPTS = (
    *("messages", "input", "contents", "prompt", "system", "instructions", "systemInstruction"),
)


class _Client(msgspec.Struct, frozen=True):
    library: str
    options: Any = None


def javascript_sites(source: bytes, file: str, grammar: str) -> list[CallSite]:
    """Return the call sites of one file, in the order of their lines.

    Raises:
        Unavailable: the extra `code` is not installed.
    """
    root = parse(source, grammar)
    reader = _Reader(file, root)
    found = [site for node, around in walk(root, "") if (site := reader.site(node, around))]
    return sorted(found, key=lambda site: (site.line, site.method))


class _Reader:
    """Reads the calls of one file; names stand for the same in all of it."""

    def __init__(self, file: str, root: Node) -> None:
        self._file = file
        self._imports: dict[str, tuple[str, str]] = {}
        self._values: dict[str, Node] = {}
        self._clients: dict[str, _Client] = {}
        nodes = [node for node, _ in walk(root, "")]
        for node in nodes:
            self._import(node)
        for node in nodes:
            self._declare(node)

    def site(self, call: Node, around: str) -> CallSite | None:
        """Return the site that a node is, or None."""
        if call.type != "call_expression":
            return None
        options = self._options(call)
        known = self._known(call, options)
        if known is None:
            return None
        client, method = known
        made = pairs(client.options)
        return CallSite(
            file=self._file,
            line=call.start_point[0] + 1,
            library=client.library,
            method=method,
            function=around,
            model=self._model(options) or self._model(made),
            prompts=self._prompts(options, call if client.library == "langchain" else None),
            tools=self._tools(options),
            schema=self._schema(options),
        )

    def _import(self, node: Node) -> None:
        if node.type == "import_statement":
            module = unquoted(node.child_by_field_name("source"))
            for inner, _ in walk(node, ""):
                if inner.type == "import_specifier":
                    name = named(inner, "name")
                    self._imports[named(inner, "alias") or name] = (module, name)
                elif inner.type == "import_clause":
                    for child in inner.named_children:
                        if child.type == "identifier":
                            self._imports[spelled(child)] = (module, "default")
                elif inner.type == "namespace_import":
                    self._imports[spelled(inner.named_children[0])] = (module, "*")
        elif node.type == "variable_declarator":
            self._require(node)

    def _require(self, node: Node) -> None:
        value, target = (node.child_by_field_name(name) for name in ("value", "name"))
        if (
            value is None
            or value.type != "call_expression"
            or named(value, "function") != "require"
        ):
            return
        arguments = value.child_by_field_name("arguments").named_children
        module = unquoted(arguments[0]) if arguments else ""
        if target.type == "identifier":
            self._imports[spelled(target)] = (module, "default")
        for child in target.named_children if target.type == "object_pattern" else ():
            name = spelled(child).partition(":")[0].strip()
            self._imports[spelled(child).rpartition(":")[2].strip()] = (module, name)

    def _declare(self, node: Node) -> None:
        names = {
            "variable_declarator": ("name", "value"),
            "assignment_expression": ("left", "right"),
            "public_field_definition": ("name", "value"),
            "field_definition": ("property", "value"),
        }.get(node.type)
        if names is not None:
            target, value = (node.child_by_field_name(name) for name in names)
            if target is None:
                return
            field = node.type.endswith("field_definition")
            name = f"this.{spelled(target)}" if field else spelled(target)
            client = self._typed(node)
            if value is not None:
                self._values[name] = value
                client = self._client(value) or client
            if client is not None:
                self._clients[name] = client
        elif node.type in ("required_parameter", "optional_parameter"):
            client = self._typed(node)
            if client is not None:
                name = named(node, "pattern")
                self._clients[name] = self._clients[f"this.{name}"] = client

    def _typed(self, node: Node) -> _Client | None:
        annotation = node.child_by_field_name("type")
        if annotation is None:
            return None
        found = (self._library(spelled(inner)) for inner, _ in walk(annotation, ""))
        library = next((name for name in found if name), None)
        return _Client(library) if library else None

    def _library(self, name: str) -> str | None:
        first, _, rest = name.partition(".")
        module, imported = self._imports.get(first, ("", ""))
        imported = rest if imported == "*" and rest else imported
        if module.startswith(_LANGCHAIN):
            other = imported.startswith(_NO_MODELS)
            return "langchain" if imported.startswith(_MODELS) and not other else None
        library, makers = _MODULES.get(module, ("", frozenset[str]()))
        return library if imported in makers else None

    def _client(self, node: Node) -> _Client | None:
        """Return the client that an expression is."""
        node = unwrapped(node)
        if node.type not in ("new_expression", "call_expression"):
            return self._clients.get(spelled(node))
        maker = "constructor" if node.type == "new_expression" else "function"
        library = self._library(named(node, maker))
        if library is not None:
            return _Client(library, self._first(node))
        called = node.child_by_field_name(maker)
        if called is None or named(called, "property") not in _SAME:
            return self._clients.get(spelled(node))
        piped = self._argument(node)
        return self._client(called.child_by_field_name("object")) or (
            self._client(piped) if piped is not None else None
        )

    def _known(self, call: Node, options: Mapping[str, Node]) -> tuple[_Client, str] | None:
        function = call.child_by_field_name("function")
        name = spelled(function)
        module, imported = self._imports.get(name, ("", ""))
        if module == "ai" and imported in _FUNCTIONS:
            return _Client("ai"), imported
        path, node = "", function
        while node is not None and node.type == "member_expression":
            own = named(node, "property")
            path = f"{own}.{path}" if path else own
            node = node.child_by_field_name("object")
            client = self._client(node)
            if client is not None:
                return (client, path) if path in _METHODS[client.library] else None
        for ending, library, needed in _UNMISTAKABLE:
            if (path == ending or path.endswith(f".{ending}")) and needed <= options.keys():
                return _Client(library), ending
        return None

    def _argument(self, call: Node) -> Node | None:
        arguments = call.child_by_field_name("arguments")
        given: list[Node] = arguments.named_children if arguments is not None else []
        return given[0] if given else None

    def _first(self, call: Node) -> Node | None:
        """Return a call's first argument where it is an object, or names one."""
        found = self._argument(call)
        found = found if found is None else self._meant(found)
        return found if found is not None and found.type == "object" else None

    def _meant(self, node: Node) -> Node:
        """Return the expression that a name stands for, or the node itself."""
        node = unwrapped(node)
        found = self._values.get(spelled(node)) if node.type in _NAMES else None
        return node if found is None else unwrapped(found)

    def _options(self, call: Node) -> Mapping[str, Node]:
        return pairs(self._first(call))

    def _said(self, node: Node | None, depth: int = 0) -> str | None:
        """Return the text of a literal, `{}` where it is filled in."""
        if node is None or depth > 9:
            return None
        inner = unwrapped(node)
        if inner.type in _NAMES:
            return self._said(self._values.get(spelled(inner)), depth + 1)
        if inner.type == "binary_expression":
            sides = [inner.child_by_field_name(name) for name in ("left", "right")]
            if named(inner, "operator") in _DEFAULTS:
                # What it is where nothing else is set.
                told = (self._said(side, depth + 1) for side in sides)
                return next((text for text in told if text is not None), None)
            parts = [self._part(side, depth) for side in sides]
            known = named(inner, "operator") == "+" and parts != ["{}", "{}"]
            return "".join(parts) if known else None
        if inner.type not in TEXT:
            return None
        return "".join(
            part if isinstance(part, str) else self._part(part, depth) for part in said_parts(inner)
        )

    def _part(self, node: Node, depth: int) -> str:
        """Return what a part of a text says; a default is only one of the things it can be."""
        default = named(unwrapped(node), "operator") in _DEFAULTS
        return "{}" if default else self._said(node, depth + 1) or "{}"

    def _model(self, options: Mapping[str, Node]) -> str | None:
        node = options.get("model") or options.get("modelName")
        node = node if node is None else self._meant(node)
        if node is not None and node.type == "call_expression":
            # The AI SDK's openai("gpt-…").
            node = self._argument(node)
        return self._said(node)

    def _prompts(self, options: Mapping[str, Node], call: Node | None) -> tuple[str, ...]:
        config = options.get("config")
        held = {**(pairs(self._meant(config)) if config is not None else {}), **options}
        given = [held[name] for name in _PROMPTS if name in held]
        if call is not None:
            first = self._argument(call)
            given += [first] if first is not None else []
        texts = [text for node in given for text in self._texts(node)]
        return tuple(dict.fromkeys(text for text in texts if text.replace("{}", "").strip()))

    def _texts(self, node: Node) -> Iterator[str]:
        node = self._meant(node)
        if node.type == "array":
            for item in node.named_children:
                yield from self._texts(item)
        elif node.type == "object":
            fields = pairs(node)
            for name in ("content", "text", "parts"):
                if name in fields:
                    yield from self._texts(fields[name])
        elif node.type == "new_expression":
            inner = self._argument(node)
            yield from self._texts(inner) if inner is not None else ()
        else:
            text = self._said(node)
            if text is not None:
                yield text

    def _tools(self, options: Mapping[str, Node]) -> tuple[str, ...]:
        given = options.get("tools")
        if given is None:
            return ()
        given = self._meant(given)
        if given.type == "object":
            return tuple(pairs(given))
        found: list[str] = []
        for item in given.named_children if given.type == "array" else ():
            names = [pairs(node).get("name") for node, _ in walk(item, "") if node.type == "object"]
            texts = [text for node in names if (text := self._said(node))]
            found += texts[:1]
        return tuple(found)

    def _schema(self, options: Mapping[str, Node]) -> str | None:
        for name in ("schema", "response_format", "response_model"):
            node = options.get(name)
            if node is not None and node.type in ("identifier", "member_expression"):
                return spelled(node)
        return None
