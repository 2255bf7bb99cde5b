"""The doubted answers of a task as one HTML page, for reading before they are judged."""

from collections.abc import Sequence
from typing import Any

from stepdown.core.fingerprint import canonical_json
from stepdown.core.gold import Question
from stepdown.core.records import same_value
from stepdown.web.page import html_page

__all__ = ["review_page"]


def review_page(
    questions: Sequence[Question], task_name: str, *, made_at: str, version: str
) -> str:
    """Return the whole page: each row with its input, the teacher's answer and the students'."""
    return html_page(
        "review.html.jinja",
        title=f"Doubted answers of {task_name}",
        task_name=task_name,
        rows=[(question, _differences(question)) for question in questions],
        made_at=made_at,
        version=version,
    )


def _differences(question: Question) -> list[tuple[str, str, str]]:
    """Return (field, the teacher's value, the students') where the two differ."""
    paths = [*question.said, *(path for path in question.guessed if path not in question.said)]
    return [
        (path, _written(question.said.get(path)), _written(question.guessed.get(path)))
        for path in paths
        if not same_value(question.said.get(path), question.guessed.get(path))
    ]


def _written(value: Any) -> str:
    if value is None:
        return "(nothing)"
    return value if isinstance(value, str) else canonical_json(value).decode()
