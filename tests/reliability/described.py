"""The gateway's own routes in OpenAPI, for schemathesis. Not served: bodies are their makers'."""

from typing import Any

__all__ = ["description"]

ANYTHING: dict[str, Any] = {}
TEXT = {"type": "string"}
NULLABLE = {"type": ["string", "null"]}
USER: Any = {"role": "user", "content": "hello"}
TOLD = [{"role": "system", "content": "Name the intent."}, USER]
MESSAGE = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {
        "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
        "content": {
            "anyOf": [TEXT, {"type": "array", "items": {"$ref": "#/components/schemas/Part"}}]
        },
        "tool_calls": {"type": "array", "items": {"type": "object"}},
    },
}
PART = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": ["text", "input_text", "image_url", "tool_use", "tool_result", "file"]},
        "text": TEXT,
        "image_url": {"type": "object"},
    },
}
TOOL = {
    "type": "object",
    "properties": {
        "type": {"enum": ["function", "web_search"]},
        "name": TEXT,
        "function": {
            "type": "object",
            "properties": {"name": TEXT, "parameters": {"type": "object"}},
        },
        "input_schema": {"type": "object"},
    },
}
MESSAGES = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Message"}}
COMMON: dict[str, Any] = {
    "model": {"enum": ["gpt-4o", "auto", "stepdown/intents", "stepdown/none"]},
    "stream": {"type": "boolean"},
    "temperature": {"type": "number"},
    "metadata": {"type": "object"},
    "tools": {"type": "array", "items": {"$ref": "#/components/schemas/Tool"}},
    "tool_choice": ANYTHING,
}
OF_CHAT = {
    "messages": MESSAGES,
    "n": {"type": "integer"},
    "stop": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
    "max_tokens": {"type": "integer"},
    "logprobs": {"type": "boolean"},
    "response_format": {"type": "object", "properties": {"type": TEXT, "json_schema": ANYTHING}},
    "stream_options": {"type": "object"},
}
OF_MESSAGES = {
    "messages": MESSAGES,
    "system": {"anyOf": [TEXT, {"type": "array", "items": {"$ref": "#/components/schemas/Part"}}]},
    "max_tokens": {"type": "integer"},
    "stop_sequences": {"type": "array", "items": TEXT},
    "thinking": {"type": "object"},
}
OF_RESPONSES = {
    "input": {"anyOf": [TEXT, MESSAGES]},
    "instructions": NULLABLE,
    "max_output_tokens": {"type": "integer"},
    "store": {"type": "boolean"},
    "previous_response_id": NULLABLE,
    "text": {"type": "object"},
}
CALLS = {
    "/v1/chat/completions": (OF_CHAT, "Problem", {"model": "gpt-4o", "messages": TOLD}),
    "/v1/messages": (
        OF_MESSAGES,
        "Fault",
        {"model": "m", "max_tokens": 9, "system": "Name the intent.", "messages": [USER]},
    ),
    "/v1/responses": (OF_RESPONSES, "Problem", {"model": "gpt-4o", "input": "hello"}),
    "/v1/route": (OF_CHAT, "Either", {"model": "gpt-4o", "messages": TOLD}),
}
LOOKS = ("/v1/models", "/v1/models/{model}", "/health", "/healthz", "/readyz", "/metrics")
PROBLEM = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {"message": TEXT, "type": TEXT, "param": NULLABLE, "code": NULLABLE},
        }
    },
}
FAULT = {
    "type": "object",
    "required": ["type", "error"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": TEXT, "message": TEXT},
        },
    },
}
EITHER = {"anyOf": [PROBLEM, FAULT]}
"""`/v1/route` takes every dialect, and answers in the one that it is asked in."""


def description() -> dict[str, Any]:
    """Return the whole of it."""
    schemas: dict[str, Any] = {"Message": MESSAGE, "Part": PART, "Tool": TOOL}
    schemas |= {"Problem": PROBLEM, "Fault": FAULT, "Either": EITHER}
    paths = {path: {"post": _call(*CALLS[path])} for path in CALLS}
    paths |= {path: {"get": _look(path)} for path in LOOKS}
    return {
        "openapi": "3.1.0",
        "info": {"title": "stepdown", "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _call(own: dict[str, Any], problem: str, example: dict[str, Any]) -> dict[str, Any]:
    body = {"type": "object", "required": ["model"], "properties": {**COMMON, **own}}
    shown = {"schema": body, "example": example}
    header = {"name": "x-stepdown-task", "in": "header", "schema": TEXT}
    return {
        "parameters": [header, header | {"name": "x-stepdown-bypass"}],
        "requestBody": {"required": True, "content": {"application/json": shown}},
        "responses": {"200": {"description": "an answer"}, "default": _failed(problem)},
    }


def _look(path: str) -> dict[str, Any]:
    named = [{"name": "model", "in": "path", "required": True, "schema": TEXT}]
    return {
        "parameters": named if "{" in path else [],
        "responses": {"200": {"description": "found"}, "default": _failed("Problem")},
    }


def _failed(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": "why not", "content": content}
