"""The loop: batches hold every row once, training stops early, and resumes where it was cut off."""

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.ports import silent
from stepdown.errors import Unavailable
from stepdown.students.tuned.checkpoint import Keeper
from stepdown.students.tuned.loop import Loop, layer_rates, order_of

from .conftest import FAST

NOWHERE = Keeper(None, "")


@given(st.lists(st.integers(1, 3000), max_size=200), st.integers(1, 40))
def test_an_epoch_reads_every_row_once(sizes, batch):
    batches = order_of(sizes, batch, 0, 1)
    assert sorted(row for own in batches for row in own) == list(range(len(sizes)))
    for own in batches:
        assert len(own) <= batch
        assert len(own) == 1 or sum(sizes[row] for row in own) <= 8_192


def test_lower_layers_and_biases_learn_less(network):
    groups = layer_rates(network, FAST)
    rates = sorted({group["lr"] for group in groups})
    assert rates[-1] == FAST.head_rate
    assert len(rates) == 4
    assert {group["weight_decay"] for group in groups} == {0.0, FAST.weight_decay}


def trained(network, taught, lessons, keeper=NOWHERE, progress=silent, **changes):
    torch.manual_seed(0)
    settings = msgspec.structs.replace(FAST, **changes)
    loop = Loop(network, taught.design, 0, settings, keeper)
    loop.run(lessons[:80], lessons[80:], progress)
    return loop


def test_it_learns_and_tells_how_far_it_is(network, taught, lessons):
    told = []
    loop = trained(
        network, taught, lessons, progress=lambda *s: told.append(s), epochs=25, patience=9
    )
    assert loop.place.best >= 0.7
    assert told[-1][1] == told[-1][2] > 20


def test_it_stops_when_held_out_rows_get_no_better(network, taught, lessons):
    loop = trained(network, taught, lessons, epochs=30, patience=1, rate=0.0, head_rate=0.0)
    assert loop.place.epoch == 2


class Cut(Exception):
    pass


def test_a_cut_off_training_goes_on_to_the_same_weights(network, folder, taught, lessons, tmp_path):
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    whole = trained(network, taught, lessons, epochs=3)
    expected = {name: tensor.clone() for name, tensor in whole.network.state_dict().items()}

    def cut(stage, done, total):
        if done == 8:
            raise Cut

    keeper = Keeper(tmp_path, "x")
    network.load_state_dict(start)
    with pytest.raises(Cut):
        trained(network, taught, lessons, keeper, cut, epochs=3, keep_steps=3)
    network.load_state_dict(start)
    seen = []
    trained(network, taught, lessons, keeper, lambda *s: seen.append(s[1]), epochs=3, keep_steps=3)
    assert seen[0] in (6, 7)
    for name, tensor in network.state_dict().items():
        assert torch.allclose(tensor, expected[name], atol=1e-6), name


def test_a_loss_that_is_no_number_ends_it(network, taught, lessons):
    with torch.no_grad():
        network.choices.weight.fill_(float("nan"))
    with pytest.raises(Unavailable, match="no longer a number"):
        trained(network, taught, lessons)
