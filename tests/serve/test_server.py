"""D-10, O-2: starting, taking up a new policy, and ending; in a process of its own for signals."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time

import pytest
from tests.serve.children import CHILD, in_flight

from stepdown.cli.bench.gateway.kills import killed
from stepdown.cli.bench.gateway.processes import Running
from stepdown.errors import ConfigError, UsageError
from stepdown.serve.server import serve, serving
from stepdown.serve.settings import Settings
from stepdown.store.sqlite import read_lines


def test_d10_a_signal_lets_what_is_under_way_finish(child, world, complete, body, wait):
    world.upstream.fault = "blackhole"
    gateway = child()
    whole, replies = in_flight(complete, body(), 10)
    streams, streamed = in_flight(complete, body(stream=True), 5)
    wait(lambda: len(world.upstream.seen) == 15)
    gateway.process.send_signal(signal.SIGTERM)

    def refused():
        try:
            socket.create_connection(("127.0.0.1", int(world.url.rpartition(":")[2]))).close()
        except OSError:
            return True
        return False

    wait(refused)
    world.upstream.release.set()
    for thread in whole + streams:
        thread.join()
    assert [reply.status for reply in replies + streamed] == [200] * 15
    assert all(reply.body.endswith(b"data: [DONE]\n\n") for reply in streamed)
    assert gateway.end() == (0, "", "")
    assert len(list(read_lines(world.path))) == 15


def test_d10_what_does_not_finish_in_time_ends_with_an_error(child, world, complete, body, wait):
    world.upstream.fault = "stall:1"
    gateway = child(drain=1.0)
    threads, replies = in_flight(complete, body(stream=True), 3)
    wait(lambda: len(world.upstream.seen) == 3)
    time.sleep(0.3)
    gateway.process.send_signal(signal.SIGINT)
    for thread in threads:
        thread.join()
    assert [b"shutting_down" in reply.body for reply in replies] == [True] * 3
    assert not any(b"[DONE]" in reply.body for reply in replies)
    assert gateway.end()[0] == 0
    lines = [json.loads(line) for line in read_lines(world.path)]
    assert [line["response"] for line in lines] == [None] * 3
    assert [line["error"]["status"] for line in lines] == [503] * 3


def test_d10_a_second_signal_ends_it_now(child, world, complete, body, wait):
    gateway = child(drain=30.0)
    assert complete(body()).status == 200
    world.upstream.fault = "blackhole"
    threads, _ = in_flight(lambda sent: complete_or_none(complete, sent), body(), 1)
    wait(lambda: len(world.upstream.seen) == 2)
    gateway.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.end()[0] == 0
    for thread in threads:
        thread.join()
    assert len(list(read_lines(world.path))) == 2


def complete_or_none(complete, sent):
    """Ask when the connection may be cut instead of answered."""
    try:
        return complete(sent)
    except (OSError, ValueError, IndexError):
        return None


def killed_rounds(child, world, body, rounds):
    """Kill the gateway under load, as the benchmark does it with the whole command."""

    @contextlib.contextmanager
    def start():
        gateway = child()
        yield Running(gateway.url, gateway.process.pid)
        gateway.end()

    sent = [body(), body("else"), body(stream=True)]
    counts = killed(start, world.path, [json.dumps(one).encode() for one in sent], rounds)
    assert (counts.lost, counts.doubled) == (0, 0)
    return counts


def test_d1_kill_9_loses_no_answer_that_was_given(child, world, body, figure):
    counts = killed_rounds(child, world, body, 4)
    assert counts.acknowledged > 0
    figure(f"{counts.kills} kills, {counts.acknowledged} answers, 0 lost, 0 doubled")


@pytest.mark.nightly
def test_d1_kill_9_200_times(child, world, body, figure):
    counts = killed_rounds(child, world, body, 200)
    figure(f"{counts.kills} kills, {counts.acknowledged} answers, 0 lost, 0 doubled")


def test_d11_a_second_gateway_on_the_same_store_refuses(child, world):
    child()
    second = subprocess.run(
        [sys.executable, "-c", CHILD, str(world.path), world.upstream.url, "1"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Another gateway writes" in second.stderr


def test_what_was_loaded_is_spared_the_collector(world):
    told = CHILD.replace("print(url", "print(gc.get_freeze_count()")
    command = [sys.executable, "-c", told, str(world.path), world.upstream.url, "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert int(process.stdout.readline()) > 10_000
        process.terminate()


def test_o2_a_port_in_use_is_one_sentence(world):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(UsageError, match=f"Can't listen on 127.0.0.1:{port}"):
            serve(Settings(port=port), world.load, None)


def test_o2_a_foreign_address_is_told_as_one(world):
    settings = Settings(host="192.0.2.1", port=0, client_keys=("k",))
    with (
        pytest.raises(UsageError, match="an address of this machine"),
        serving(settings, world.load, None),
    ):
        pass


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 70_000)])
def test_o2_an_address_that_is_not_ours(world, host, port):
    settings = Settings(host=host, port=port, client_keys=("k",))
    with pytest.raises(UsageError), serving(settings, world.load, None):
        pass


def test_what_the_loader_raises_at_start_ends_the_start(world):
    def load(generation):
        raise ConfigError("no policy")

    with pytest.raises(ConfigError, match="no policy"), serving(Settings(port=0), load, None):
        pass


def test_m7_a_new_policy_is_taken_up_without_a_restart(start, world, complete, body, wait):
    world.routed = False
    start()
    assert complete(body()).decision() == ("relayed", "no_route")
    world.routed, world.generation = True, 2
    wait(lambda: complete(body()).decision() == ("answered", "confident"))
    world.student = type(world.student)(world.student.known, "student-2")
    world.generation = 3
    wait(lambda: complete(body()).headers["x-stepdown-student"] == "student-2")
    world.routed, world.generation = False, 4
    wait(lambda: complete(body()).decision() == ("relayed", "no_route"))


def test_m7_a_policy_that_cannot_be_loaded_leaves_the_old_one(
    start, world, ask, complete, body, wait
):
    start()
    world.load_error = ConfigError("broken policy")
    wait(lambda: ask("GET", "/readyz").json()["policy_problem"] == "broken policy")
    assert complete(body()).decision() == ("answered", "confident")
    world.load_error = RuntimeError("worse")
    wait(lambda: "worse" in ask("GET", "/readyz").json()["policy_problem"])
    world.load_error = None
    wait(lambda: ask("GET", "/readyz").json()["policy_problem"] == "")


@pytest.mark.parametrize("swaps", [5, pytest.param(100, marks=pytest.mark.nightly)])
def test_m7_every_answer_names_the_student_that_gave_it(start, world, complete, body, swaps):
    start()
    known = world.student.known
    for number in range(swaps):
        name = f"student-{number}"
        world.student = type(world.student)({**known, "hello": (name, 0.99)}, name)
        world.generation += 1
        for _ in range(12):
            reply = complete(body())
            answer = reply.json()["choices"][0]["message"]["content"]
            assert answer in ("greet", reply.headers["x-stepdown-student"])
            time.sleep(0.01)
