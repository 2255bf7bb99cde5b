"""Why a line is no call: short, stable texts that coverage counts by."""

import json
from collections.abc import Callable

import msgspec

from stepdown.core.calls import UNANSWERED, Answer, Call
from stepdown.errors import InputError

__all__ = [
    "BROKEN_STREAM",
    "CUT_OFF",
    "ERROR_ANSWER",
    "FORGOTTEN",
    "INVALID_UTF8",
    "JOINED",
    "MALFORMED_ANSWER",
    "MALFORMED_REQUEST",
    "NOT_AN_OBJECT",
    "NOT_A_NUMBER",
    "NOT_CHAT",
    "NOT_JSON",
    "NOT_REDACTED",
    "NO_ANSWER",
    "NO_CONTENT",
    "NO_REQUEST",
    "ODD_FIELDS",
    "ODD_JSON",
    "ROW_LENGTH",
    "TOO_DEEP",
    "TOO_LARGE",
    "TOO_LONG",
    "UNREADABLE",
    "Unanswered",
    "json_problem",
]

JOINED = "half of a call"
"""Not a fault: the line is held, or was used, as the other half of a call."""

BROKEN_STREAM = "compressed data cut off or damaged"
CUT_OFF = "line cut off"
ERROR_ANSWER = "error instead of an answer"
FORGOTTEN = "of somebody who was forgotten"
INVALID_UTF8 = "invalid UTF-8"
MALFORMED_ANSWER = "malformed answer"
MALFORMED_REQUEST = "malformed request"
NOT_AN_OBJECT = "not a JSON object"
NOT_A_NUMBER = "NaN or Infinity, which JSON does not have"
NOT_CHAT = "not a chat-completions call"
NOT_JSON = "not JSON"
NOT_REDACTED = "redaction failed"
NO_ANSWER = "no answer"
NO_CONTENT = "content was not logged"
NO_REQUEST = "no request"
ODD_FIELDS = "fields of unexpected types"
ODD_JSON = "lone surrogate or number out of range"
ROW_LENGTH = "row of another length than the header"
TOO_DEEP = "nested too deeply"
TOO_LARGE = "JSON document too large"
TOO_LONG = "line too long"
UNREADABLE = "file that can't be read"


class Unanswered(str):
    """The reason why a line with a request has no answer: counted as any other reason is."""

    read: Callable[[], Call]

    @classmethod
    def of(cls, reason: str, read: Callable[[], Call]) -> "Unanswered":
        """Return the reason with what reads the line's request, should anybody ask for it."""
        made = cls(reason)
        made.read = read
        return made

    def call(self) -> Call | None:
        """Return the call as far as it goes; None where its request can't be read either."""
        try:
            found = self.read()
        except (InputError, ValueError, RecursionError):
            return None
        return msgspec.structs.replace(found, answer=Answer(), usage=None, tier=UNANSWERED)


_CLOSING = {"{": "}", "[": "]"}


def json_problem(data: bytes) -> str | None:
    """Return why `data` can't be decoded to a JSON object, or None when it can."""
    try:
        text = data.decode()
    except UnicodeDecodeError as problem:
        return CUT_OFF if problem.reason == "unexpected end of data" else INVALID_UTF8
    try:
        value = msgspec.json.decode(data)
    except RecursionError:
        return TOO_DEEP
    except msgspec.MsgspecError:
        return _syntax_problem(text)
    return None if isinstance(value, dict) else NOT_AN_OBJECT


def _syntax_problem(text: str) -> str:
    odd: list[str] = []
    try:
        json.loads(text, parse_constant=odd.append)
    except RecursionError:
        return TOO_DEEP
    except json.JSONDecodeError as problem:
        opened, last = text.lstrip()[:1], text.rstrip()[-1:]
        cut = opened in _CLOSING and last != _CLOSING[opened]
        return CUT_OFF if cut or problem.pos >= len(text) else NOT_JSON
    except ValueError:  # an integer of more digits than Python converts
        return ODD_JSON
    return NOT_A_NUMBER if odd else ODD_JSON
