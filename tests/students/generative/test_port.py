"""What a model said is whole unless it was cut off."""

from stepdown.students.generative.port import Said


def test_what_was_said_has_ended_unless_it_says_otherwise():
    assert Said("a", (-0.1,)).ended
    assert not Said("a", (-0.1,), ended=False).ended
