"""The grouping benchmark scores what the grouper finds."""

from tests.cli.bench.small import labelled

from stepdown.cli.bench import grouping
from stepdown.core.calls import Answer, Call, Message, Request


def test_two_system_prompts_are_two_groups():
    calls = [
        Call(
            str(at),
            Request(
                "m",
                (
                    Message("system", ("Sort the mail.", "Translate to French.")[at % 2]),
                    Message("user", row["text"]),
                ),
            ),
            Answer("x"),
            "m",
        )
        for at, row in enumerate(labelled(80))
    ]
    found = grouping.found_groups(calls)
    assert len(set(found[::2])) == len(set(found[1::2])) == 1
    assert found[0] != found[1]
