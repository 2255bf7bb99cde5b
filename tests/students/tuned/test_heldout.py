"""The share of held-out rows that are right, of a network that knows and of one that does not."""

import msgspec
import torch

from stepdown.students.tuned.heldout import chains_of, share_right


def test_a_row_is_right_if_every_head_and_layer_is(network, taught, lessons):
    some = lessons[:10]
    with torch.no_grad():
        network.tags.weight.zero_()
        network.choices.weight.zero_()
        network.tags.bias.zero_()
        network.choices.bias.zero_()
        # Every word outside, and the first class of every head.
        for block in taught.design.tags:
            network.tags.bias[block.first] = 5.0
        for block in taught.design.choices:
            network.choices.bias[block.first] = 5.0
    nothing = [
        msgspec.structs.replace(
            lesson,
            classes=dict.fromkeys(lesson.classes, 0),
            tagged={
                n: msgspec.structs.replace(t, labels=t.labels * 0) for n, t in lesson.tagged.items()
            },
        )
        for lesson in some
    ]
    assert share_right(network, taught.design, nothing, 0) == 1.0
    assert share_right(network, taught.design, some, 0) == 0.0
    half = nothing[:5] + some[5:]
    assert share_right(network, taught.design, half, 0) == 0.5


def test_chains_have_no_emissions_of_their_own(network, taught):
    for chain in chains_of(network, taught.design):
        assert not chain.rows
        assert chain.transitions.shape[0] == len(chain.start)
