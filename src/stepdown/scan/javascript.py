"""Call sites in JavaScript and TypeScript, read by tree-sitter's grammars (extra `code`)."""

from collections.abc import Iterator, Mapping

import msgspec

from stepdown.core.sites import CallSite
from stepdown.scan.javascript_names import Names
from stepdown.scan.syntax import (
    NAMES,
    TEXT,
    Node,
    named,
    pairs,
    parse,
    said_parts,
    spelled,
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
_LAST = frozenset(path.rpartition(".")[2] for paths in _METHODS.values() for path in paths)
_OTHER_TYPES = frozenset(("function_type", "object_type", "type_query", "literal_type"))
_SIDES = ("left", "right", "consequence", "alternative")
_DEFAULTS = ("||", "??")
_PROMPTS = (
    *("messages", "input", "contents", "prompt", "system", "instructions", "systemInstruction"),
)


class _Client(msgspec.Struct, frozen=True):
    """Whose client it is, and what was said where it was made."""

    library: str
    model: str | None = None


def javascript_sites(source: bytes, file: str, grammar: str) -> list[CallSite]:
    """Return the call sites of one file, in the order of their lines.

    Raises:
        Unavailable: the extra `code` is not installed.
    """
    reader = _Reader(file, parse(source, grammar))
    return sorted(reader.sites(), key=lambda site: (site.line, site.method))


class _Reader:
    """Reads the calls of one file."""

    def __init__(self, file: str, root: Node) -> None:
        self._file = file
        self._names = Names(root)
        self._known_clients: dict[int, _Client | None] = {}

    def sites(self) -> Iterator[CallSite]:
        """Yield the sites of the file."""
        for call, around in self._names.calls:
            options = self._options(call)
            known = self._known(call, options)
            if known is None:
                continue
            client, method = known
            yield CallSite(
                file=self._file,
                line=call.start_point[0] + 1,
                library=client.library,
                method=method,
                function=around,
                model=self._model(options, client.library) or client.model,
                prompts=self._prompts(options, call if client.library == "langchain" else None),
                tools=self._tools(options),
                schema=self._schema(options),
            )

    def _library(self, name: str, at: int) -> str | None:
        """Return whose client is made by that name."""
        module, imported = self._names.imported(name, at)
        if module.startswith(_LANGCHAIN):
            other = imported.startswith(_NO_MODELS)
            return "langchain" if imported.startswith(_MODELS) and not other else None
        library, makers = _MODULES.get(module, ("", frozenset[str]()))
        return library if imported in makers else None

    def _typed(self, annotation: Node | None) -> _Client | None:
        """Return the client of a type: `OpenAI | null`, `Promise<OpenAI>`, not `OpenAI.Chat`."""
        waiting: list[Node] = [] if annotation is None else [annotation]
        while waiting:
            node = waiting.pop()
            if node.type in ("type_identifier", "nested_type_identifier"):
                library = self._library(spelled(node), node.start_byte)
                if library is not None:
                    return _Client(library)
            elif node.type not in _OTHER_TYPES:
                waiting.extend(node.named_children)
        return None

    def _client(self, node: Node) -> _Client | None:
        """Return the client that an expression is."""
        node = unwrapped(node)
        if node.type in NAMES:
            return self._named(spelled(node), node)
        if node.id not in self._known_clients:
            # A client may be made of itself: `llm = llm || make(llm)`.
            self._known_clients[node.id] = None
            self._known_clients[node.id] = self._made(node)
        return self._known_clients[node.id]

    def _named(self, name: str, node: Node) -> _Client | None:
        """Return the client that a name is by what it was set to, or else by its type."""
        for entry in self._names.candidates(name, node.start_byte):
            client = self._client(entry.value) if entry.value is not None else None
            if client is not None:
                return client
        return self._typed(self._names.annotation(name, node.start_byte))

    def _made(self, node: Node) -> _Client | None:
        if node.type == "ternary_expression" or named(node, "operator") in _DEFAULTS:
            sides = (node.child_by_field_name(name) for name in _SIDES)
            clients = (self._client(side) for side in sides if side is not None)
            return next((client for client in clients if client is not None), None)
        if node.type not in ("new_expression", "call_expression"):
            return None
        maker = node.child_by_field_name(
            "constructor" if node.type == "new_expression" else "function"
        )
        if maker is None:
            return None
        library = self._library(spelled(maker), maker.start_byte)
        if library is not None:
            return _Client(library, self._model(self._options(node), library))
        if named(maker, "property") not in _SAME:
            return None
        piped = self._argument(node)
        return self._client(maker.child_by_field_name("object")) or (
            self._client(piped) if piped is not None else None
        )

    def _known(self, call: Node, options: Mapping[str, Node]) -> tuple[_Client, str] | None:
        function = call.child_by_field_name("function")
        if function is None or function.type not in NAMES:
            return None
        last = named(function, "property") or spelled(function)
        if last in _FUNCTIONS or function.type == "identifier":
            module, imported = self._names.imported(spelled(function), function.start_byte)
            if module == "ai" and imported in _FUNCTIONS:
                return _Client("ai"), imported
        path, node = "", function
        while last in _LAST and node is not None and node.type == "member_expression":
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

    def _options(self, call: Node) -> Mapping[str, Node]:
        """Return the members of a call's first argument, where it is an object or names one."""
        first = self._argument(call)
        return pairs(self._names.meant(first)) if first is not None else {}

    def _said(self, node: Node | None, depth: int = 0) -> str | None:
        """Return the text of a literal, `{}` where it is filled in."""
        if node is None or depth > 9:
            return None
        inner = self._names.meant(node)
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

    def _model(self, options: Mapping[str, Node], library: str) -> str | None:
        node = options.get("model") or options.get("modelName")
        node = node if node is None else self._names.meant(node)
        if node is not None and node.type == "call_expression" and library == "ai":
            # The AI SDK's openai("gpt-…").
            node = self._argument(node)
        return self._said(node)

    def _prompts(self, options: Mapping[str, Node], call: Node | None) -> tuple[str, ...]:
        config = options.get("config")
        held = {**(pairs(self._names.meant(config)) if config is not None else {}), **options}
        given = [held[name] for name in _PROMPTS if name in held]
        if call is not None:
            first = self._argument(call)
            given += [first] if first is not None else []
        seen: set[int] = set()
        texts = [text for node in given for text in self._texts(node, seen)]
        return tuple(dict.fromkeys(text for text in texts if text.replace("{}", "").strip()))

    def _texts(self, node: Node, seen: set[int]) -> Iterator[str]:
        """Yield the texts of messages and their parts; of a name, all that it may stand for."""
        node = self._names.meant(node)
        if node.id in seen:
            return
        seen.add(node.id)
        inner: list[Node | None] = []
        if node.type in NAMES:
            inner = self._names.values(node)[::-1]
        elif node.type in ("array", "spread_element"):
            inner = node.named_children
        elif node.type == "object":
            fields = pairs(node)
            inner = [fields.get(name) for name in ("content", "text", "parts")]
        elif node.type == "ternary_expression":
            inner = [node.child_by_field_name(name) for name in _SIDES]
        elif node.type == "new_expression":
            inner = [self._argument(node)]
        else:
            text = self._said(node)
            if text is not None:
                yield text
        for one in inner:
            if one is not None:
                yield from self._texts(one, seen)

    def _tools(self, options: Mapping[str, Node]) -> tuple[str, ...]:
        given = options.get("tools")
        if given is None:
            return ()
        given = self._names.meant(given)
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
