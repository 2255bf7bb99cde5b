"""The room's door: what the verb `train` offers."""

import stepdown.train as room


def test_every_name_it_offers_is_there():
    assert all(hasattr(room, name) for name in room.__all__)
