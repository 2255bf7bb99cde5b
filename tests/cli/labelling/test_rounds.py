"""What is chosen goes out in parts, and what had no answer is not asked twice in one command."""

from collections import Counter

from stepdown.cli.labelling.questions import Plan
from stepdown.cli.labelling.rounds import ask_in_rounds, in_rounds
from stepdown.core.calls import Request
from stepdown.core.labels import Kept, Reserved
from stepdown.label.asking import AskTerms, Sitting

REQUEST = Request("m", ())


def question(name, why="uncertain", sends=0, repeat=0):
    return Kept(Reserved(f"k{name}{repeat}", name, why, repeat=repeat), sends), REQUEST


def names(plan):
    return [one.reserved.key[1:-1] for one, _ in plan.asked]


def test_the_random_part_goes_first_and_the_chosen_one_in_parts():
    first = [question(f"r{n}", "random") for n in range(3)]
    chosen = [question(f"c{n}") for n in range(5)]
    plans = iter([Plan(5, asked=[question(f"d{n}") for n in range(3)]), Plan(7, asked=[])])
    parts = list(in_rounds(Plan(0, asked=[*first, *chosen]), lambda: 2, lambda: next(plans)))
    assert [names(part) for part in parts] == [["r0", "r1", "r2", "c0", "c1"], ["d0", "d1"], []]
    assert [part.later for part in parts] == [3, 1, 0]


def test_a_second_question_goes_with_the_first():
    asked = [question("c0"), question("c1"), question("c0", "again", repeat=9)]
    asked.append(question("c1", "again", repeat=9))
    part = next(in_rounds(Plan(0, asked=asked), lambda: 1, lambda: Plan(0)))
    assert names(part) == ["c0", "c0"]


def test_what_was_begun_goes_out_and_what_had_no_answer_is_left():
    left = [question("a", sends=1), question("b", sends=3)]
    plans = iter([Plan(0, asked=[*left, question("d")])])
    parts = list(
        in_rounds(
            Plan(0, asked=[*left, question("c"), question("e")]), lambda: 1, lambda: next(plans)
        )
    )
    assert [names(part) for part in parts] == [["a", "b", "c"], ["d"]]


def test_what_the_rounds_bring_is_added_up_until_one_is_stopped():
    plans = iter(Plan(0, asked=[question(f"{n}-{m}") for m in range(3)]) for n in range(9))
    spent = []

    def sit(plan, terms):
        spent.append(terms.spent)
        stopped = "the cap is reached" if len(spent) == 3 else ""
        count = len(plan.asked)
        return Sitting(Counter(answered=count), Counter(), count, 1, terms.spent + 10, stopped)

    whole = ask_in_rounds(next(plans), AskTerms(spent=5), lambda: 2, lambda: next(plans), sit)
    assert spent == [5, 15, 25]
    assert (whole.outcomes["answered"], whole.calls, whole.left, whole.spent) == (6, 6, 3, 35)
    assert whole.stopped
