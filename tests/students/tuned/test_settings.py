"""More rows need fewer epochs; the rate rises, then falls to nothing and stays there."""

from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.tuned.settings import DEVICE, rate_at, settings_for, thread_count


def test_more_rows_are_read_fewer_times():
    assert settings_for(200).epochs > settings_for(10_000).epochs > settings_for(10**6).epochs >= 4


def test_the_environment_names_the_device_and_the_threads(monkeypatch):
    monkeypatch.setenv(DEVICE, "cuda:1")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert settings_for(10).device == "cuda:1"
    assert thread_count() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert thread_count() >= 1


@given(st.integers(0, 1200), st.integers(1, 1000))
def test_a_rate_is_a_share(step, steps):
    assert 0 <= rate_at(step, steps, 0.1) <= 1


def test_the_rate_rises_then_falls():
    rates = [rate_at(step, 100, 0.1) for step in range(130)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == 0
