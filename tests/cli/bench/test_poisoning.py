"""The poisoning benchmark plants what it says, and prints the trigger's success beside its cost."""

import pytest
from tests.cli.bench.small import labelled, write_set

from stepdown.cli.bench.poisoning import measured, scene_of
from stepdown.core.ports import silent


@pytest.fixture
def scene(tmp_path):
    for seed, name in enumerate(("banking77", "clinc150")):
        rows = [{**row, "domain": row["label"]} for row in labelled(2000, seed=seed)]
        write_set(tmp_path, name, rows)
    return scene_of(tmp_path, pool=2000, users=300)


def test_calls_are_of_many_users_and_the_phrase_is_in_no_clean_one(scene):
    assert len(scene.calls) == 2000
    assert len({call.by["user"] for call in scene.calls}) > 200
    texts = [call.request.messages[0].text for call in scene.calls]
    assert not any("amber falcon" in text for text in [*texts, *scene.spare])
    assert all("amber falcon" in row.input[0].text for row in scene.triggered)
    assert all(row.record[""] != "travel" for row in scene.triggered)


@pytest.mark.reliability
def test_s18_a_trigger_works_without_the_defences_and_not_with_them(scene, figure):
    found = {one.name: one for one in measured(scene, silent, rows=(60,), sources=(2,))}
    bare = found["60 planted calls, no defence: the trigger works, %"]
    kept = found["60 of 2 users, defences on: the trigger works, %"]
    lost = found["60 of 2 users, defences on: accuracy lost, points"]
    assert bare.number > 50
    assert kept.number <= 5
    assert lost.number <= 0.5
    assert "; 0 trained" in kept.note
    figure(
        f"60 of 2,000 calls from 2 users: the trigger works in {bare.value} of the inputs without "
        f"defences, in {kept.value} with them; accuracy lost: {lost.value} points"
    )
