"""L-1, L-2, L-4 and L-5: a labelling run that is killed, lied to, capped or changed half-way."""

import json
import random
import signal
from collections import Counter

import pytest
from tests.cli.teaching import PRICED, topic_of, write_config
from tests.reliability.paying import message_of, payer

from stepdown.label.pacing import with_those_ahead


def killed_between(folder, count, kills, figure):
    with payer(folder, count) as run:
        for _ in range(kills):
            assert run.run("--concurrency", 1, dies_after=count // (kills + 1)) == -signal.SIGKILL
        assert run.run("--concurrency", 1) == 0
        assert len(run.labels()) == len({label.item for label in run.labels()}) == count
        assert run.teacher.calls.total() == count == len(run.teacher.calls)
        assert run.spend().known == run.teacher.billed
        figure(f"{kills} kills between items: {count:,} labels, {len(run.teacher.bill):,} calls")


@pytest.mark.reliability
def test_l1_killed_between_items_each_is_asked_exactly_once(tmp_path, figure):
    killed_between(tmp_path, 200, 20, figure)


@pytest.mark.nightly
def test_l1_killed_between_2000_items(tmp_path, figure):
    killed_between(tmp_path, 2000, 20, figure)


def killed_at_random(folder, count, kills, figure, concurrency=4):
    lost = with_those_ahead(concurrency)
    with payer(folder, count, latency=0.01) as run:
        again = 0
        while run.kills < kills:
            stored, before = run.stored(), Counter(run.teacher.calls)
            most = max(2, 2 * (count - len(stored)) // (kills + 1 - run.kills))
            run.run("--concurrency", concurrency, kill_at=random.randint(1, most))
            again += sum((run.teacher.calls - before)[text] for text in stored)
            assert len(stored) < count or run.kills == kills, "it was done too early"
        stored = run.stored()
        before = Counter(run.teacher.calls)
        assert run.run("--concurrency", concurrency) == 0
        again += sum((run.teacher.calls - before)[text] for text in stored)
        assert len(run.labels()) == len({label.item for label in run.labels()}) == count
        assert again == 0
        calls, spend = run.teacher.calls, run.spend()
        assert calls.total() <= count + kills * lost
        price = dict(run.teacher.bill)
        duplicates = {text: number - 1 for text, number in calls.items() if number > 1}
        paid_twice = sum(price[text] * number for text, number in duplicates.items())
        # Exact to the attodollar: what is known, and what was paid for twice.
        assert spend.known == sum(price.values())
        assert spend.known + paid_twice == run.teacher.billed
        assert spend.known <= run.teacher.billed <= (spend.at_most or 0)
        # What was killed between its record and its first byte never arrived: nobody can tell.
        never = spend.answers + spend.unknown - calls.total()
        assert 0 <= never <= kills * lost
        assert spend.unknown == sum(duplicates.values()) + never
        assert run.teacher.billed <= spend.known + spend.twice
        figure(
            f"{kills} kills at concurrency {concurrency} over {count:,} items: {again} stored "
            f"ones asked again, {calls.total():,} calls, {sum(duplicates.values())} duplicates of "
            f"{spend.unknown} possible ones ({never} never arrived), the rest of the bill exact"
        )


@pytest.mark.reliability
@pytest.mark.parametrize("concurrency", [4, 16])
def test_l2_killed_at_random_nothing_stored_is_asked_again(tmp_path, figure, concurrency):
    killed_at_random(tmp_path, 300, 8, figure, concurrency)


@pytest.mark.nightly
def test_l2_killed_20_times_over_2000_items(tmp_path, figure):
    killed_at_random(tmp_path, 2000, 20, figure)


FAULTS = ("429:0", "500", "slow", "html", "refusal", "other", "error", "half", "cut")


@pytest.mark.reliability
def test_l4_every_fault_is_counted_and_no_label_is_made_up(tmp_path, figure):
    count = 300
    with payer(tmp_path, count) as run:
        write_config(tmp_path, run.teacher, PRICED + "answer_seconds = 0.5\n")
        texts = [message_of(f"call-{number}", count) for number in range(count)]
        meets = dict(
            zip(texts, [FAULTS[n % 10] if n % 10 < 9 else "" for n in range(count)], strict=True)
        )
        run.teacher.script = {text: [fault] for text, fault in meets.items() if fault}
        stubborn = [text for text in texts if meets[text] == "500"][:5]
        run.teacher.script |= {text: ["500"] * 9 for text in stubborn}
        assert run.run("--concurrency", 16) == 0
        found = told(run)
        tenth = count // 10
        assert found["failures"] == {
            "rate limited": tenth,
            "overloaded": tenth + 2 * len(stubborn),
            "no answer in time": tenth,
            "cut off": tenth,
            "not an answer": 3 * tenth,
        }
        assert found["outcomes"] == {
            "answered": count - 2 * tenth - len(stubborn),
            "refused": tenth,
            "other_label": tenth,
        }
        assert found["left"] == len(stubborn)
        assert found["spend"]["possible_double_payments"] == 2 * tenth
        assert found["spend"]["useless"] == 3 * tenth
        for label in run.labels():
            text = message_of(label.item, count)
            if label.outcome == "answered":
                assert label.answer.text == topic_of(text)
        assert max(run.teacher.tries.values()) <= 3
        assert run.spend().known <= run.teacher.billed <= (run.spend().at_most or 0)
        calls = run.teacher.tries.total()
        figure(f"{count} items, a tenth of each of 9 faults: {calls} tries, no label made up")


@pytest.mark.reliability
@pytest.mark.parametrize("usd", ["0", "0.05", "0.1", "0.2"])
def test_l4_the_cap_holds_whatever_comes_back(tmp_path, figure, usd):
    with payer(tmp_path, 200) as run:
        write_config(tmp_path, run.teacher, PRICED + "answer_seconds = 0.5\nmax_tokens = 64\n")
        pick = random.Random(7)
        texts = [message_of(f"call-{number}", 200) for number in range(200)]
        run.teacher.script = {text: pick.choices((*FAULTS, ""), k=3) for text in texts}
        cap = round(float(usd) * 10**18)
        for _ in range(3):
            run.run("--max-usd", usd, "--concurrency", 8, ends=(0, 1))
            assert run.teacher.billed <= (run.spend().at_most or 0) <= cap
        figure(f"cap ${usd}: billed ${run.teacher.billed / 1e18:.4f}")


def told(run):
    return json.loads((run.folder / "out.json").read_text())


@pytest.mark.reliability
def test_l5_terms_changed_half_way_are_another_run(tmp_path, figure):
    with payer(tmp_path, 60) as run:
        assert run.run("--concurrency", 1, dies_after=20) == -signal.SIGKILL
        begun = {label.key for label in run.labels()}
        _one_token_less(run)
        assert run.run() == 0
        first = told(run)
        assert "limit of tokens is not what it was" in (tmp_path / "out.json.err").read_text()
        # Another body is another question: all of it is asked, and nothing of before is counted.
        assert (first["calls"], first["labels"]) == (60, 60)
        assert begun.isdisjoint({one.key for one in run.labels()} - begun)
        _one_label_more(run)
        assert run.run() == 0
        second = told(run)
        assert second["run"] != first["run"]
        # The same bodies: what is stored serves the new run, and is judged by the new labels.
        assert (second["calls"], second["labels"]) == (0, 60)
        assert second["spend"]["attodollars"] == 0
        spent = run.spend()
        assert (spent.known, spent.unknown) == (run.teacher.billed - spent.twice, spent.unknown)
        figure("another limit: 60 asked anew; another set of labels: a new run, 0 asked, 0 mixed")


def _one_token_less(run):
    write_config(run.folder, run.teacher, PRICED + "max_tokens = 4095\n")


def _one_label_more(run):
    path = next(run.folder.glob("ws/tasks/*/task.json"))
    task = json.loads(path.read_text())
    task["anatomy"]["fields"][0]["values"].append("more")
    path.write_text(json.dumps(task))


@pytest.mark.reliability
def test_l5_a_call_changed_by_a_byte_is_not_taken_for_the_one_that_was_begun(tmp_path, figure):
    with payer(tmp_path, 60) as run:
        assert run.run("--concurrency", 1, dies_after=20) == -signal.SIGKILL
        log = tmp_path / "log.jsonl"
        done = {message_of(label.item, 60) for label in run.labels()}
        lines = log.read_text().splitlines()
        changed = [one.replace(" about ", " About ") for one in lines]
        log.write_text("\n".join(changed) + "\n")
        assert run.run() == 0
        left = [
            number
            for number, (one, other) in enumerate(zip(lines, changed, strict=True))
            if one != other
        ]
        gone = [number for number in left if message_of(f"call-{number}", 60) not in done]
        assert told(run)["gone"] == len(gone) > 0
        assert not any("About" in text for text in run.teacher.calls)
        figure(f"{len(gone)} calls changed by a byte: not asked under the key that they had")
