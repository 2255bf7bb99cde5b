"""OpenAI SSE chunks → the chat.completion that they add up to."""

from collections.abc import Iterable
from typing import Any, cast

import msgspec

__all__ = ["Assembled", "assemble"]

_HEAD = ("id", "created", "model", "service_tier", "system_fingerprint", "usage")
_LIKELY = ("content", "refusal")
_JOINED = ("content", "refusal", "reasoning_content", "reasoning")

Json = dict[str, Any]


class Assembled(msgspec.Struct, frozen=True):
    """What a stream said.

    `completion` is None when no choice was in it. `finished` says whether every choice came to its
    finish_reason; `error` is the error that the upstream sent in the stream, `unreadable` counts
    frames that were not JSON objects.
    """

    completion: Json | None
    finished: bool
    error: Any = None
    unreadable: int = 0


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[Json] | None = None
    function_call: Json | None = None
    annotations: list[Json] | None = None


class _Part(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: Any = None
    logprobs: dict[str, list[Json] | None] | None = None


class _Chunk(msgspec.Struct):
    """A chunk as nearly all are; one that is not is read as any JSON object."""

    id: Any = None
    created: Any = None
    model: Any = None
    service_tier: Any = None
    system_fingerprint: Any = None
    usage: Any = None
    error: Any = msgspec.UNSET
    choices: list[_Part] = []


_chunk = msgspec.json.Decoder(_Chunk)


class _Choice(msgspec.Struct):
    """What has come of one choice: the parts of its texts, its calls, and how it ended; `function`
    is the call of the old functions API."""

    texts: dict[str, list[str]] = {}
    calls: list[Json] = []
    finish_reason: Any = None
    function: Json | None = None
    annotations: list[Json] = []
    logprobs: dict[str, list[Json]] | None = None


class _Alike(msgspec.Struct, frozen=True):
    """A chunk that brings some text and nothing else: its bytes around that text, and the text's
    place in the answer. Nearly all chunks of a stream differ in their text alone."""

    before: bytes
    after: bytes
    texts: list[str]

    def adds(self, data: bytes) -> bool:
        """Take the text of a chunk that is like this one but for it, or say that it is not."""
        if not (data.startswith(self.before) and data.endswith(self.after)):
            return False
        between = data[len(self.before) : len(data) - len(self.after)]
        if len(data) < len(self.before) + len(self.after) or b'"' in between or b"\\" in between:
            return False
        try:
            text = between.decode()
        except UnicodeDecodeError:
            return False
        # Control characters have no place in JSON; the decoder judges what is rare.
        if not text.isprintable():
            return False
        self.texts.append(text)
        return True


def _alike(data: bytes, chunk: _Chunk, choices: dict[int, _Choice]) -> _Alike | None:
    """Return what later chunks may be like, where that can be told without a doubt.

    Without backslashes in it `"content"` is a whole string, and where the only one is, the text is.
    """
    if len(chunk.choices) != 1 or b"\\" in data or data.count(b'"content"') != 1:
        return None
    (part,) = chunk.choices
    delta = part.delta
    if part.finish_reason is not None or delta is None or delta.content is None:
        return None
    if part.logprobs is not None:
        return None
    if delta != _Delta(content=delta.content):
        return None
    before, key, rest = data.partition(b'"content":"')
    text, end, after = rest.partition(b'"')
    if not key or text.decode() != delta.content:
        return None
    return _Alike(before + key, end + after, choices[part.index].texts["content"])


def assemble(frames: Iterable[bytes]) -> Assembled:
    """Add up the data of a stream's frames (`[DONE]` is skipped) as the official client does."""
    head: Json = {}
    choices: dict[int, _Choice] = {}
    error: Any = None
    unreadable = 0
    alike: _Alike | None = None
    for data in frames:
        if data == b"[DONE]" or (alike is not None and alike.adds(data)):
            continue
        chunk = _read(data)
        alike = None
        if chunk is None:
            unreadable += 1
            continue
        if chunk.error is not msgspec.UNSET:
            error = chunk.error
        for key in _HEAD:
            value = getattr(chunk, key)
            if value is not None:
                head[key] = value
        for part in chunk.choices:
            _add(choices, part)
        alike = _alike(data, chunk, choices)
    if not choices:
        return Assembled(None, False, error, unreadable)
    ordered = [_whole(index, choices[index]) for index in sorted(choices)]
    finished = all(choice["finish_reason"] is not None for choice in ordered)
    completion = {"object": "chat.completion", **head, "choices": ordered}
    return Assembled(completion, finished, error, unreadable)


def _read(data: bytes) -> _Chunk | None:
    try:
        return _chunk.decode(data)
    except msgspec.ValidationError:
        return _lenient(data)
    except (ValueError, RecursionError):
        return None


def _lenient(data: bytes) -> _Chunk | None:
    """Read a chunk of which some fields are of other types than they should be: without these."""
    try:
        value = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    fields = cast("Json", value)
    chunk = _Chunk(**{key: fields[key] for key in (*_HEAD, "error") if key in fields})
    parts = _objects(fields.get("choices"))
    chunk.choices = [_lenient_part(one) for one in parts if isinstance(one.get("index", 0), int)]
    return chunk


def _lenient_part(value: Json) -> _Part:
    delta = value.get("delta")
    part = _Part(value.get("index", 0), None, value.get("finish_reason"))
    logprobs = value.get("logprobs")
    if isinstance(logprobs, dict):
        tokens = cast("Json", logprobs)
        part.logprobs = {key: _objects(tokens[key]) for key in _LIKELY if tokens.get(key)}
    if isinstance(delta, dict):
        sent = cast("Json", delta)
        texts = {key: sent[key] for key in _JOINED if isinstance(sent.get(key), str)}
        part.delta = _Delta(
            **texts,
            tool_calls=_objects(sent.get("tool_calls")),
            function_call=next(iter(_objects([sent.get("function_call")])), None),
            annotations=_objects(sent.get("annotations")),
        )
    return part


def _objects(value: Any) -> list[Json]:
    if not isinstance(value, list):
        return []
    return [cast("Json", item) for item in cast("list[Any]", value) if isinstance(item, dict)]


def _add(choices: dict[int, _Choice], part: _Part) -> None:
    choice = choices.get(part.index)
    if choice is None:
        choice = choices[part.index] = _Choice()
    if part.finish_reason is not None:
        choice.finish_reason = part.finish_reason
    if part.logprobs is not None:
        kept = choice.logprobs = choice.logprobs or {}
        for key in _LIKELY:
            kept.setdefault(key, []).extend(part.logprobs.get(key) or ())
    delta = part.delta
    if delta is None:
        return
    for key in _JOINED:
        text = getattr(delta, key)
        if text is not None:
            choice.texts.setdefault(key, []).append(text)
    for call in delta.tool_calls or ():
        _add_call(choice.calls, call)
    choice.annotations.extend(delta.annotations or ())
    if delta.function_call is not None:
        choice.function = choice.function or {"name": "", "arguments": ""}
        _add_function(choice.function, delta.function_call)


def _whole(index: int, choice: _Choice) -> Json:
    message: Json = {"role": "assistant", "content": None}
    message.update({key: "".join(texts) for key, texts in choice.texts.items()})
    if choice.calls:
        message["tool_calls"] = choice.calls
        message["content"] = message["content"] or None
    if choice.function is not None:
        message["function_call"] = choice.function
        message["content"] = message["content"] or None
    if choice.annotations:
        message["annotations"] = choice.annotations
    whole: Json = {"index": index, "message": message, "finish_reason": choice.finish_reason}
    if choice.logprobs is not None:
        whole["logprobs"] = {key: tokens or None for key, tokens in choice.logprobs.items()}
    return whole


def _add_call(calls: list[Json], part: Json) -> None:
    index = part.get("index", 0)
    if not isinstance(index, int) or not 0 <= index <= len(calls):
        return
    if index == len(calls):
        empty: Json = {"name": "", "arguments": ""}
        calls.append({"id": "", "type": "function", "function": empty})
    call = calls[index]
    call["id"] = call["id"] or part.get("id") or ""
    function = part.get("function")
    if isinstance(function, dict):
        _add_function(call["function"], cast("Json", function))


def _add_function(function: Json, sent: Json) -> None:
    function["name"] = function["name"] or sent.get("name") or ""
    function["arguments"] += str(sent.get("arguments") or "")
