"""From a record to an answer: written as the teacher writes, and valid for the task's schema."""

import secrets
from collections.abc import Mapping
from typing import Any, Protocol

import jsonschema_rs
import msgspec

from stepdown.core.anatomy import Shape
from stepdown.core.calls import Answer, OutputFormat, Tool, ToolCall
from stepdown.core.records import tool_calls, unflatten, write_json
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError

__all__ = ["Assembler", "assembler_of"]


class _Validator(Protocol):
    def is_valid(self, instance: Any) -> bool: ...


class Assembler(msgspec.Struct, frozen=True):
    """Assembles answers of one task.

    `schema` checks a JSON answer, `tools` the arguments of each tool; None and an empty mapping
    where the calls declared none.
    """

    shape: Shape
    style: dict[str, Any]
    schema: _Validator | None
    tools: Mapping[str, _Validator]

    def assemble(self, record: dict[str, Any]) -> Answer | str:
        """Return the answer that `record` stands for, or the reason why there is none."""
        if self.shape == "text":
            text = record.get("")
            if not isinstance(text, str) or not text:
                return "The answer would be empty."
            return Answer(text=text, finish_reason="stop")
        try:
            return self._call(record) if self.shape == "tool" else self._object(record)
        except ValueError:
            return "The fields do not fit into one object."

    def _object(self, record: dict[str, Any]) -> Answer | str:
        value = unflatten(record)
        if self.schema is not None and not self.schema.is_valid(value):
            return "The answer would not be valid for the response schema."
        return Answer(text=write_json(value, self.style), finish_reason="stop")

    def _call(self, record: dict[str, Any]) -> Answer | str:
        called = tool_calls(record)
        if not called:
            return "No tool is called, and the text beside that is the teacher's to write."
        calls: list[ToolCall] = []
        for name, arguments in called:
            validator = self.tools.get(name)
            if validator is None and self.tools:
                return "The tool is not one of the task's."
            if validator is not None and not validator.is_valid(arguments):
                return "The arguments would not be valid for the tool's schema."
            # Unpredictable, as a provider's is: a conversation may hold calls of several students.
            id = f"call_{secrets.token_hex(12)}"
            calls.append(ToolCall(name, write_json(arguments, self.style), id))
        return Answer(tool_calls=tuple(calls), finish_reason="tool_calls")


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is not part of the schema")


def _compile(schema: dict[str, Any], what: str) -> _Validator:
    try:
        return jsonschema_rs.validator_for(schema, retriever=_refuse)
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise ArtefactError(
            f"The JSON Schema of {what} can't be used ({reason}); correct it in the calls and "
            "audit the log again."
        ) from error


def assembler_of(task: Task) -> Assembler:
    """Return the assembler of a task, its schemas compiled.

    Raises:
        ArtefactError: the task's tools or schema can't be read, or need the network.
    """
    try:
        tools = msgspec.json.decode(task.tools_json, type=list[Tool])
        output = msgspec.json.decode(task.output_format_json, type=OutputFormat | None)
    except msgspec.MsgspecError as error:
        raise ArtefactError(
            f"The tools or the response format of task {task.name} can't be read ({error}); audit "
            "the log again."
        ) from error
    schema = output.schema if output else None
    return Assembler(
        task.anatomy.shape,
        task.anatomy.style,
        _compile(schema, "the response") if schema is not None else None,
        {tool.name: _compile(tool.parameters, f"tool {tool.name}") for tool in tools},
    )
