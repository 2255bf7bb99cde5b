"""A batch gives each row what it would get alone, and the loss falls when it is followed."""

import pytest
import torch

from stepdown.students.tuned.network import Batch, joint_loss, tag_scores

CPU = torch.device("cpu")


def test_a_row_gets_the_same_in_company_as_alone(network, taught, lessons):
    network.eval()
    some = lessons[:5]
    with torch.no_grad():
        choices, states = network(together := Batch(some, 0, CPU))
        _, scores = tag_scores(network, taught.design, states, together, 0)
        for at, lesson in enumerate(some):
            alone, own = network(batch := Batch([lesson], 0, CPU))
            _, single = tag_scores(network, taught.design, own, batch, 0)
            assert torch.allclose(choices[at], alone[0], atol=1e-5)
            assert torch.allclose(scores[at, : single.shape[1]], single[0], atol=1e-5)


def test_the_loss_is_the_mean_over_rows(network, taught, lessons):
    network.eval()
    whole = float(joint_loss(network, taught.design, Batch(lessons[:4], 0, CPU)))
    single = [
        float(joint_loss(network, taught.design, Batch([one], 0, CPU))) for one in lessons[:4]
    ]
    assert whole == pytest.approx(sum(single) / 4, rel=1e-4)


def test_a_step_along_the_gradient_lowers_the_loss(network, taught, lessons):
    network.eval()
    batch = Batch(lessons[:8], 0, CPU)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-2)
    before = joint_loss(network, taught.design, batch)
    before.backward()
    assert all(p.grad is not None for p in (network.transitions[0], network.tags.weight))
    optimizer.step()
    assert float(joint_loss(network, taught.design, batch)) < float(before)


def test_bans_are_in_the_chain(network):
    steps, first = network.chain(0)
    assert float(first[2]) < -1e3
    assert float(steps[0, 2]) < -1e3
