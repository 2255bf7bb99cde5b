"""Records are right or wrong, but for summaries, which lose a share."""

from stepdown.core.anatomy import Anatomy
from stepdown.core.datasets import Example
from stepdown.core.digests import Limits, style_of_summaries
from stepdown.core.losses import exact_loss, loss_of
from stepdown.core.tasks import Segment

ROW = Example("r", (Segment("user", "Today Ann paid 20 for apples."),), {"": "Here Ann paid 20."})
PLAIN = Anatomy("text", (), 1, 1.0, 1.0)
SUMMARIES = Anatomy("text", (), 1, 1.0, 1.0, style=style_of_summaries(Limits(40)))


def test_a_plain_record_is_right_or_wrong():
    loss = loss_of(PLAIN)
    assert loss is exact_loss
    assert loss({"": "Here Ann paid 20."}, ROW) == 0.0
    assert loss({"": "Ann paid 21."}, ROW) == 1.0
    assert loss({}, Example("r", ROW.input, {}, known=False)) == 1.0


def test_a_summary_loses_a_share():
    loss = loss_of(SUMMARIES)
    assert loss({"": "20 were paid by Ann."}, ROW) == 0.0
    assert loss({"": "It was Ann who paid."}, ROW) == 0.5
    assert loss({}, ROW) == 1.0
    assert loss({"": "x"}, Example("r", ROW.input, {}, known=False)) == 1.0
