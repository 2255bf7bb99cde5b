"""Asking a teacher: many questions at once, each recorded before it goes out, none above the cap.

What comes back is a label, or is counted by what it was; nothing is made up. A question is tried at
most three times a sitting. What ends the sitting (a key that no longer works, the cap, a full disk)
leaves everything as it is, to be gone on with.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from stepdown.core.calls import Answer, Usage
from stepdown.core.labels import Failed, Outcome, Parsed, Sent, Step, Stored
from stepdown.core.ports import Complete
from stepdown.errors import InputError, StepdownError, UpstreamError
from stepdown.label.committing import Committer
from stepdown.label.money import Cap
from stepdown.label.pacing import Pace, Patience, with_those_ahead
from stepdown.label.trouble import Trouble, trouble
from stepdown.wire.openai import parse_answer

__all__ = [
    "TRIES",
    "AskTerms",
    "Asker",
    "OutcomeOf",
    "Question",
    "Sitting",
    "TokenPrice",
]

TRIES = 3
"""How often a question is sent in one sitting, at most."""

_BYTES_A_TOKEN = 4

TokenPrice = Callable[[Usage, float], int | None]
"""price(usage, time) → attodollars; None where nobody knows."""

OutcomeOf = Callable[[str, Answer], Outcome]
"""outcome_of(input text, answer) → what became of it; it raises nothing."""


class Question(msgspec.Struct, frozen=True):
    """One body to send, `sends` times sent before; `most` is the most tokens that it can take, and
    `text` the input that the answer is judged by."""

    key: str
    body: bytes
    most: Usage
    text: str = ""
    sends: int = 0


class AskTerms(msgspec.Struct, frozen=True):
    """How a teacher is asked. `cap` is the most that may be spent, of which `spent` is gone
    already, in attodollars; `per_minute` limits questions and tokens. With `hold` a question whose
    outcome nobody knows is not asked again. `clean` makes of what an API says, which may repeat
    what it was asked, what may be shown."""

    concurrency: int = 8
    cap: int | None = None
    spent: int = 0
    per_minute: tuple[float | None, float | None] = (None, None)
    timeout_s: float = 120.0
    hold: bool = False
    clean: Callable[[str], str] = str


class Sitting(msgspec.Struct):
    """What became of one sitting, as it goes on.

    `outcomes` counts answers that are on disk, `failures` tries that brought none, by why; `left`
    questions were tried in vain. `spent` counts what nobody knows the price of by its bound, and
    nothing that is under way.
    `stopped` says why it ended before all was asked, "" where it did not; `capped`: it was the cap.
    """

    outcomes: Counter[Outcome]
    failures: Counter[str]
    calls: int = 0
    left: int = 0
    spent: int = 0
    stopped: str = ""
    capped: bool = False


class Asker:
    """One sitting with a teacher; `told` hears of each answer that is on disk."""

    def __init__(
        self,
        commit: Callable[[Sequence[Step]], None],
        terms: AskTerms,
        price: TokenPrice,
        judge: OutcomeOf,
        told: Callable[[Sitting], None],
    ) -> None:
        self._terms = terms
        self._price = price
        self._judge = judge
        self._told = told
        self._pace = Pace(terms.concurrency, terms.per_minute)
        self._cap = Cap(terms.cap, terms.spent)
        self._committer = Committer(commit, self._kept)
        self._answers: dict[str, tuple[str, Answer]] = {}
        self._patience = Patience(self._pace)
        self.sitting = Sitting(Counter(), Counter(), spent=terms.spent)

    def stop(self, why: str) -> None:
        """Send nothing more; what is under way is waited for."""
        self.sitting.stopped = self.sitting.stopped or self._terms.clean(why)
        self._pace.close()

    async def ask(self, questions: Iterator[Question], complete: Complete) -> Sitting:
        """Ask them all, or as many as can be.

        Raises:
            StepdownError: answers could not be put on disk.
        """

        async def work() -> None:
            for question in questions:
                if not await self._asked(question, complete):
                    return

        async with asyncio.TaskGroup() as owner:
            writing = owner.create_task(self._committer.run())
            places = with_those_ahead(self._terms.concurrency)
            workers = [owner.create_task(work()) for _ in range(places)]
            await asyncio.wait(workers)
            self._committer.close()
        error = writing.result()
        if error is not None:
            raise error
        return self.sitting

    async def _asked(self, question: Question, complete: Complete) -> bool:
        """Try until there is an answer, or no more; says whether to go on with others."""
        found = None
        for number in range(question.sends + 1, question.sends + 1 + TRIES):
            place = await self._place(question, number)
            if place is None:
                return False
            entered, reserved = place
            try:
                found = await self._tried(question, number, reserved, complete)
            except StepdownError as error:
                self._cap.settle(reserved, 0)
                self.stop(str(error))
                return False
            finally:
                self._pace.leave()
            if found is None:
                self._patience.answered()
                return not self.sitting.stopped
            if not self._again(found, entered):
                break
        self.sitting.left += 1
        if found is not None and (why := self._patience.left(found)):
            self.stop(why)
        return not self.sitting.stopped

    async def _place(self, question: Question, number: int) -> tuple[int, int] | None:
        """Wait until a question may go out, with its record on disk and its money set aside.

        Returns the round and what was set aside; None where the sitting ended before.
        """
        bound = self._price(question.most, time.time())
        tokens = question.most.input_tokens // _BYTES_A_TOKEN
        reserved = await self._pace.enter(tokens, lambda: self._cap.reserve(bound))
        if reserved is None:
            self.sitting.capped = self.sitting.capped or not self.sitting.stopped
            self.stop("the cap is reached")
            return None
        known, entered = None if bound is None else reserved, None
        try:
            await self._committer.sync(Sent(question.key, number, time.time(), known))
            entered = await self._pace.turn(tokens)
            if entered is None:
                self._committer.add(Failed(question.key, number, "not sent", paid=False))
        except StepdownError as error:
            self.stop(str(error))
        if entered is None:
            self._cap.settle(reserved, 0)
            self._pace.leave(sent=False)
            return None
        return entered, reserved

    async def _tried(
        self, question: Question, number: int, reserved: int, complete: Complete
    ) -> Trouble | None:
        """Send a question once and record what becomes of it; None when it is answered."""
        sent = time.time()
        self.sitting.calls += 1
        try:
            async with asyncio.timeout(self._terms.timeout_s):
                raw = await complete(question.body)
            answer, usage, _ = parse_answer(raw)
        except (UpstreamError, InputError, TimeoutError) as error:
            found = trouble(error)
            self.sitting.failures[found.why] += 1
            self._committer.add(Failed(question.key, number, found.why, found.paid))
            self._cap.settle(reserved, 0 if found.paid is False else None)
            return found
        cost = None if usage is None else self._price(usage, sent)
        self._cap.settle(reserved, cost)
        self._answers[question.key] = question.text, answer
        self._committer.add(Stored(question.key, number, raw, time.time(), usage, cost))
        return None

    def _again(self, found: Trouble, entered: int) -> bool:
        """Say whether the same question is worth another try."""
        if why := self._patience.tried(found, entered):
            self.stop(why)
        held = self._terms.hold and found.paid is None
        return found.again and not held and not self.sitting.stopped

    def _kept(self, steps: Sequence[Step]) -> None:
        """Judge the answers that are on disk now."""
        self.sitting.spent = self._cap.settled
        for step in steps:
            if isinstance(step, Stored):
                text, answer = self._answers.pop(step.key)
                outcome = self._judge(text, answer)
                self.sitting.outcomes[outcome] += 1
                self._committer.add(Parsed(step.key, outcome, answer))
                self._told(self.sitting)
