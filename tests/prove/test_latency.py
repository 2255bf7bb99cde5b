"""Latency is measured on what is given, one item at a time; nothing here is timed."""

from stepdown.prove.latency import hardware, measure_latency


class Counting:
    """Counts its calls; every third raises."""

    id = family = "counting"

    def __init__(self):
        self.calls = 0

    def predict(self, given):
        self.calls += 1
        if self.calls % 3 == 0:
            raise RuntimeError("broken")


def test_up_to_500_inputs_are_timed_after_a_warm_up():
    student = Counting()
    made = measure_latency(student, [()] * 700, 812.0)
    assert (made.count, student.calls, made.teacher_p50_ms) == (500, 520, 812.0)
    assert 0.0 < made.p50_ms <= made.p99_ms
    assert made.hardware == hardware()


def test_no_inputs_are_no_measurement():
    made = measure_latency(Counting(), [], None)
    assert (made.count, made.p50_ms, made.teacher_p50_ms) == (0, 0.0, None)


def test_hardware_names_processor_and_cores():
    assert "core" in hardware()
