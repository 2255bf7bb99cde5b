"""A request whose words are a task's though its tools are not."""

import json

import msgspec

from stepdown.core.contracts import contract_of
from stepdown.core.routes import Route
from stepdown.core.tasks import Signature, TaskIndex
from stepdown.serve.live import LiveRoute, Loaded, same_words
from stepdown.wire.openai import parse_request


class Silent:
    """A student that is not asked."""

    id = "s"
    family = "fake"

    def predict(self, given):
        raise NotImplementedError


FORMAT = {"type": "json_object"}


def asked(value):
    return parse_request(json.dumps(value).encode())


def loaded(task, routed=True):
    live = LiveRoute(Route(task.id, "s", "p", 0.5), Silent(), contract_of(task, "d"))
    return Loaded(TaskIndex([task]), {task.id: live} if routed else {})


def test_c3_the_same_words_with_another_format(task_of, body):
    task = task_of("intents", body())
    request = asked(body(response_format=FORMAT))
    assert same_words(loaded(task), request) == task
    assert same_words(loaded(task, routed=False), request) is None
    assert same_words(loaded(task), asked(body(system="other"))) is None


def test_templates_of_holes_alone_are_nobodys_words(task_of, body):
    task = msgspec.structs.replace(task_of("any", body()), signature=Signature())
    assert same_words(loaded(task), asked(body(response_format=FORMAT))) is None
