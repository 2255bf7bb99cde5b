"""Call sites in JavaScript and TypeScript, read by tree-sitter's grammars (extra `code`)."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

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

__all__ = ["Reader", "javascript_sites"]

_MODULES: Mapping[str, tuple[str, frozenset[str]]] = {
    "openai": ("openai", frozenset(("default", "OpenAI", "AzureOpenAI"))),
    "@anthropic-ai/sdk": ("anthropic", frozenset(("default", "Anthropic"))),
    "@anthropic-ai/bedrock-sdk": ("anthropic", frozenset(("default", "AnthropicBedrock"))),
    "@anthropic-ai/vertex-sdk": ("anthropic", frozenset(("default", "AnthropicVertex"))),
    "@google/genai": ("google-genai", frozenset(("GoogleGenAI",))),
    "@instructor-ai/instructor": ("instructor", frozenset(("default", "Instructor"))),
}
_LANGCHAIN = frozenset(("@langchain", "langchain"))
_AGENTS = frozenset(("createReactAgent", "createAgent", "initChatModel"))
_TEMPLATES = frozenset(("fromMessages", "fromTemplate"))
_FIELD = re.compile(r"\{\w+\}")
_ROLES = frozenset(("system", "human", "ai", "user", "assistant", "developer", "placeholder"))
_MODELS = ("Chat", "AzureChat")
_NO_MODELS = ("ChatPrompt", "ChatMessage")
_SAME = frozenset(("withStructuredOutput", "bindTools"))
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
_LONGEST = 100_000
_PROMPTS = (
    *("messages", "input", "contents", "prompt", "system", "instructions", "systemInstruction"),
    *("systemPrompt", "stateModifier", "messageModifier"),
)


class _Client(msgspec.Struct, frozen=True):
    """Whose client it is, and what was said where it was made."""

    library: str
    model: str | None = None
    prompts: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


Elsewhere = Callable[[str, str], "Reader | None"]
"""elsewhere(file, module) → the reader of the file that `module` is in an import of `file`."""


def javascript_sites(
    source: bytes, file: str, grammar: str, elsewhere: Elsewhere = lambda file, module: None
) -> list[CallSite]:
    """Return the call sites of one file, in the order of their lines.

    Raises:
        Unavailable: the extra `code` is not installed.
    """
    reader = Reader(file, parse(source, grammar), elsewhere)
    return sorted(reader.sites(), key=lambda site: (site.line, site.method))


class Reader:
    """Reads the calls of one file, and what others import of it."""

    def __init__(self, file: str, root: Node, elsewhere: Elsewhere) -> None:
        self._file = file
        self._names = Names(root)
        self._elsewhere = elsewhere
        self._clients: dict[int, _Client | None] = {}
        self._known_texts: dict[tuple[int, int], str | None] = {}
        self._exports: dict[str, tuple[_Client | None, str | None]] = {}

    def sites(self) -> Iterator[CallSite]:
        """Yield the sites of the file."""
        for call, around in self._names.calls:
            known = self._known(call)
            if known is None:
                continue
            client, method = known
            options = self._options(call)
            prompts = self._prompts(options, call if client.library == "langchain" else None)
            yield CallSite(
                file=self._file,
                line=call.start_point[0] + 1,
                library=client.library,
                method=method,
                function=around,
                model=self._model(options, client.library) or client.model,
                prompts=tuple(dict.fromkeys((*client.prompts, *prompts))),
                tools=self._tools(options) or client.tools,
                schema=self._schema(options),
            )

    def exported(self, name: str) -> tuple[_Client | None, str | None]:
        """Return the client and the text that an export, or a member of it, is."""
        if name not in self._exports:
            # Files may import each other.
            self._exports[name] = (None, None)
            first, _, rest = name.partition(".")
            node = self._names.exported(first)
            if node is not None and rest:
                node = pairs(self._names.meant(node)).get(rest)
            if node is not None:
                self._exports[name] = (self._client(node), self._said(node))
        return self._exports[name]

    def _other(self, module: str, name: str) -> tuple[_Client | None, str | None]:
        """Return the client and the text that another file exports by that name."""
        other = self._elsewhere(self._file, module)
        return (None, None) if other is None else other.exported(name)

    def _library(self, name: str, at: int) -> str | None:
        """Return whose client is made by that name."""
        module, imported = self._names.imported(name, at)
        if module.partition("/")[0] in _LANGCHAIN:
            model = imported.startswith(_MODELS) and not imported.startswith(_NO_MODELS)
            return "langchain" if model or imported in _AGENTS else None
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
        if node.id not in self._clients:
            # A client may be made of itself: `llm = llm || make(llm)`.
            self._clients[node.id] = None
            made = self._named(node) if node.type in NAMES else self._made(node)
            self._clients[node.id] = made
        return self._clients[node.id]

    def _named(self, node: Node) -> _Client | None:
        """Return the client that a name is by what it was set to, or else by its type."""
        name, at = spelled(node), node.start_byte
        module, own = self._names.imported(name, at)
        if module:
            return self._other(module, own)[0]
        values = self._names.values(node)
        return self._first(values) or self._typed(self._names.annotation(name, at))

    def _first(self, nodes: Iterable[Node | None]) -> _Client | None:
        clients = (self._client(node) for node in nodes if node is not None)
        return next((client for client in clients if client is not None), None)

    def _made(self, node: Node) -> _Client | None:
        if node.type == "ternary_expression" or named(node, "operator") in _DEFAULTS:
            return self._first(node.child_by_field_name(name) for name in _SIDES)
        field = {"new_expression": "constructor", "call_expression": "function"}.get(node.type)
        maker = None if field is None else node.child_by_field_name(field)
        if maker is None:
            return None
        first = self._argument(node)
        library = self._library(spelled(maker), maker.start_byte)
        if library is not None:
            return self._from(library, self._options(node), first)
        property_, held = named(maker, "property"), maker.child_by_field_name("object")
        if property_ == "from" and spelled(held) == "RunnableSequence" and first is not None:
            return self._chain(self._names.meant(first).named_children)
        if property_ == "pipe":
            return self._chain([held, first])
        return self._client(held) if property_ in _SAME else None

    def _from(self, library: str, options: Mapping[str, Node], first: Node | None) -> _Client:
        """Return the client that is made with these options, maybe out of another one."""
        inner = self._first(options.get(name) for name in ("llm", "model"))
        model = self._model(options, library) or (inner.model if inner is not None else None)
        if library != "langchain":
            return _Client(library, model)
        # A model's name alone is enough for initChatModel.
        model = model or self._said(first)
        return _Client(library, model, self._prompts(options, None), self._tools(options))

    def _chain(self, parts: list[Node | None]) -> _Client | None:
        """Return LangChain's chain of a prompt, a model and a parser."""
        client = self._first(parts)
        if client is None or client.library != "langchain":
            return None
        prompts: list[str] = []
        for part in parts:
            made = None if part is None else self._names.meant(part)
            maker = None if made is None else made.child_by_field_name("function")
            if made is not None and maker is not None and named(maker, "property") in _TEMPLATES:
                texts = (_FIELD.sub("{}", text) for text in self._prompts({}, made))
                prompts += (text for text in texts if text.replace("{}", "").strip())
        return msgspec.structs.replace(client, prompts=(*prompts, *client.prompts))

    def _known(self, call: Node) -> tuple[_Client, str] | None:
        """Return whom a call asks, and by which method, where it asks a model."""
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
            if path == ending or path.endswith(f".{ending}"):
                return (_Client(library), ending) if needed <= self._options(call).keys() else None
        return None

    def _argument(self, call: Node) -> Node | None:
        arguments = call.child_by_field_name("arguments")
        given: list[Node] = arguments.named_children if arguments is not None else []
        return next((node for node in given if node.type != "comment"), None)

    def _options(self, call: Node) -> Mapping[str, Node]:
        """Return the members of a call's first argument, where it is an object or names one."""
        first = self._argument(call)
        return pairs(self._names.meant(first)) if first is not None else {}

    def _said(self, node: Node | None, depth: int = 0) -> str | None:
        """Return the text of a literal, `{}` where it is filled in; None of one far too long."""
        if node is None or depth > 9:
            return None
        # Read once, as `p + p` of such a text doubles each time.
        if (node.id, depth) not in self._known_texts:
            text = self._read(node, depth)
            self._known_texts[node.id, depth] = text if len(text or "") <= _LONGEST else None
        return self._known_texts[node.id, depth]

    def _read(self, node: Node, depth: int) -> str | None:
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
        if inner.type in NAMES:
            module, own = self._names.imported(spelled(inner), inner.start_byte)
            return self._other(module, own)[1] if module else None
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
        inner = self._inner(node)
        text = self._said(node) if inner is None else None
        if text is not None:
            yield text
        for one in inner or ():
            if one is not None:
                yield from self._texts(one, seen)

    def _inner(self, node: Node) -> "list[Node | None] | None":
        """Return what an expression holds that may be texts, or None where it may be one."""
        if node.type in NAMES:
            values = self._names.values(node)[::-1]
            return values if len(values) > 1 else None
        if node.type == "object":
            fields = pairs(node)
            return [fields.get(name) for name in ("content", "text", "parts")]
        if node.type == "ternary_expression":
            return [node.child_by_field_name(name) for name in _SIDES]
        if node.type == "new_expression":
            return [self._argument(node)]
        held: list[Node | None] = node.named_children
        # LangChain's ["system", "…"].
        pair = node.type == "array" and len(held) > 1 and self._said(held[0]) in _ROLES
        return held[pair:] if node.type in ("array", "spread_element") else None

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
