"""The engine that is no more than this process."""

from stepdown import plugins
from stepdown.engines.local import Local


def test_it_comes_through_the_door():
    assert isinstance(plugins.engine("local", 4), Local)


def test_items_are_worked_on_one_by_one_as_they_are_asked_for():
    asked = []

    def items():
        for number in range(3):
            asked.append(number)
            yield number

    engine = Local()
    found = engine.map(str, items())
    assert (next(found), asked) == ("0", [0])
    assert (list(found), engine.workers) == (["1", "2"], 0)
    engine.close()
