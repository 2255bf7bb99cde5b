"""Asking a teacher in batches: each on the disk before it is created, and never created twice.

A batch whose id was never heard (a kill, a connection cut off) is looked for at the API before
anything else is done. What a batch did not run is asked again in the next one; what it answered is
kept, however it ended.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing

import msgspec

from stepdown.core.fingerprint import fingerprint
from stepdown.core.labels import Batched, Failed, Parsed, Sent, Step, Stored
from stepdown.core.ports import BatchAnswer, Batches, BatchState, Progress
from stepdown.errors import InputError, UpstreamError
from stepdown.label.asking import TRIES, AskTerms, OutcomeOf, Question, Sitting, TokenPrice
from stepdown.label.money import Cap
from stepdown.label.pacing import LONGEST_WAIT_S
from stepdown.label.trouble import HOPELESS, Trouble, hopeless, trouble
from stepdown.wire.openai import parse_answer

__all__ = ["Batcher", "Books"]

MOST_BYTES = 50_000_000
"""A batch is held in memory, twice, while it is made, so ours are smaller than what APIs take."""

_FIRST_LOOK_S = 1.0
_LAST_LOOK_S = 60.0
_SETTLED_S, _LONG_AGO_S = 15.0, 3600.0
"""How long one that was asked for may take to be in the list; one of long ago is there or isn't."""

_AT_A_TIME = 200
_PATIENCE = 20
_AROUND = 200  # bytes of a line beside key and body
_NOT_FOUND = 404
_NOT_CREATED = Trouble("batch not created", again=True)
_NOT_RUN = Trouble("not run by the batch", again=True)
_GONE = Trouble("batch is gone", None, again=True)
_MISSING = Trouble("no result in the batch", None, again=True)
_NOT_HEARD = frozenset((None, 408, 500, 502, 503, 504))
"""Statuses after which a batch may have been created all the same; None: no answer at all."""


class Books(msgspec.Struct, frozen=True):
    """What the ledger does for batches: keep steps, and tell which batches are under way and what
    was sent in one (number and bound by key) and has no outcome yet."""

    commit: Callable[[Sequence[Step]], None]
    batches: Callable[[], Sequence[Batched]]
    sent_in: Callable[[str], Mapping[str, tuple[int, int | None]]]


class Batcher:
    """One sitting with a teacher's batches; `told` hears of each part that is on disk."""

    def __init__(
        self,
        books: Books,
        terms: AskTerms,
        price: TokenPrice,
        judge: OutcomeOf,
        told: Callable[[Sitting], None],
        progress: Progress,
    ) -> None:
        self._books = books
        self._terms = terms
        self._price = price
        self._judge = judge
        self._told = told
        self._progress = progress
        self._cap = Cap(terms.cap, terms.spent)
        self._stopping = asyncio.Event()
        self._open: dict[str, Batched] = {}
        self._unsure: set[str] = set()
        self._states: dict[str, BatchState] = {}
        self._questions: Callable[[], Iterable[Question]] = tuple
        self._known: dict[str, Question] = {}
        self._sends: dict[str, int] = {}
        self._left: dict[str, Question] = {}
        self._in_vain = 0
        self.sitting = Sitting(Counter(), Counter(), spent=terms.spent)

    def stop(self, why: str) -> None:
        """Create and wait for nothing more; what runs at the API goes on there."""
        self.sitting.stopped = self.sitting.stopped or self._terms.clean(why)
        self._stopping.set()

    async def ask(self, questions: Callable[[], Iterable[Question]], batches: Batches) -> Sitting:
        """Ask what no batch under way asks already, and wait until all have ended.

        The questions are made anew for each batch: their bodies together may be as large as a log.

        Raises:
            StepdownError: answers could not be put on disk.
        """
        replace = msgspec.structs.replace
        self._known = {one.key: replace(one, body=b"") for one in questions()}
        self._questions = questions
        self._sends.update({key: one.sends for key, one in self._known.items()})
        self._left = dict(self._known)
        try:
            for batch in self._books.batches():
                for _, bound in self._books.sent_in(batch.name).values():
                    self._cap.take_up(bound or 0)
                await self._resumed(batches, batch)
            while not self._stopping.is_set():
                await self._create(batches)
                if not self._open or self._stopping.is_set():
                    break
                await self._wait(batches)
        except UpstreamError as error:
            self.stop(trouble(error).ends or str(error))
        if self.sitting.capped:
            self.stop("the cap is reached")
        self.sitting.spent = self._cap.settled
        return self.sitting

    async def _resumed(self, batches: Batches, batch: Batched) -> None:
        """Take up a batch of an earlier sitting, if there is one at the API."""
        for key in self._books.sent_in(batch.name):
            self._left.pop(key, None)
        if batch.id:
            self._open[batch.name] = batch
            return
        state = await self._found(batches, batch)
        if state is not None:
            self._heard(batch, state)
        elif not self._stopping.is_set():
            self._close(batch, _NOT_CREATED)

    async def _found(self, batches: Batches, batch: Batched) -> BatchState | None:
        """Look for a batch, until it would be in the list; None also where that is broken off."""
        others = {one.id for one in self._books.batches() if one.id}
        keys = self._books.sent_in(batch.name).keys()
        settled = time.time() - batch.time > _LONG_AGO_S
        until, pause = time.monotonic() + (0.0 if settled else _SETTLED_S), _FIRST_LOOK_S
        while True:
            self._progress("looking for a batch", 0, 0)
            state = await batches.find(batch.name, keys, batch.time, others)
            late = time.monotonic() >= until
            if state is not None or late or await self._stopped_within(pause):
                return state
            pause *= 2

    async def _create(self, batches: Batches) -> None:
        """Create batches of all that is left, as far as the money goes."""
        self.sitting.capped = False
        for chunk in self._chunks(batches):
            numbers = [(one.key, self._sends[one.key] + 1) for one, _ in chunk]
            batch = Batched(fingerprint(numbers, 32), time.time())
            steps: list[Step] = [batch]
            for one, bound in chunk:
                self._sends[one.key] += 1
                steps.append(Sent(one.key, self._sends[one.key], batch.time, bound, batch.name))
                del self._left[one.key]
            self._books.commit(steps)
            self.sitting.calls += len(chunk)
            found = await self._created(batches, batch, [one for one, _ in chunk])
            if isinstance(found, UpstreamError):
                self._close(batch, _NOT_CREATED)
                self.stop(trouble(found).ends or str(found))
            elif found is not None:
                self._heard(batch, found)
            if self._stopping.is_set():
                return

    def _chunks(self, batches: Batches) -> Iterator[list[tuple[Question, int | None]]]:
        """Yield what goes into each batch, with what each question can cost set aside."""
        chunk: list[tuple[Question, int | None]] = []
        size, most = 0, min(batches.most_bytes, MOST_BYTES)
        left = set(self._left)
        for question in self._questions() if left else ():
            if question.key not in left:
                continue
            length = len(question.body) + len(question.key) + _AROUND
            if chunk and (len(chunk) == batches.most_items or size + length > most):
                yield chunk
                chunk, size = [], 0
            bound = self._price(question.most, time.time())
            reserved = self._cap.reserve(bound)
            if reserved is None:
                self.sitting.capped = True
                break
            chunk.append((question, None if bound is None else reserved))
            size += length
        if chunk:
            yield chunk

    async def _created(
        self, batches: Batches, batch: Batched, chunk: Sequence[Question]
    ) -> BatchState | UpstreamError | None:
        """Create a batch, or say why there is none; None: nobody knows.

        Where nobody said whether it was created, it is looked for before another try.
        """
        pause = _FIRST_LOOK_S
        for turn in range(TRIES):
            self._progress("creating a batch", 0, 0)
            try:
                return await batches.create(batch.name, ((one.key, one.body) for one in chunk))
            except UpstreamError as error:
                problem = error
            if problem.status in _NOT_HEARD and not problem.unsent:
                state = await self._found(batches, batch)
                if state is not None or self._stopping.is_set():
                    return state
            wait = max(problem.retry_after or 0.0, pause)
            if not trouble(problem).again or turn == TRIES - 1 or wait > LONGEST_WAIT_S:
                return problem
            if await self._stopped_within(wait):
                return problem
            pause *= 2
        raise AssertionError("the last try returns")

    def _heard(self, batch: Batched, state: BatchState) -> None:
        """Take up a batch at the API; its id is kept once it is sure that it is ours."""
        batch = msgspec.structs.replace(batch, id=state.id)
        self._open[batch.name] = batch
        if state.sure:
            self._books.commit([batch])
        else:
            self._unsure.add(batch.name)

    def _close(self, batch: Batched, without: Trouble) -> None:
        """Close a batch: to what of it has no outcome yet, this is it."""
        steps: list[Step] = [
            self._failed(key, number, bound, without)
            for key, (number, bound) in self._books.sent_in(batch.name).items()
        ]
        self._books.commit([*steps, msgspec.structs.replace(batch, ended=True)])
        self._open.pop(batch.name, None)

    async def _wait(self, batches: Batches) -> None:
        """Look at the batches, less and less often, until one has ended and is collected."""
        pause, in_vain, some = _FIRST_LOOK_S, 0, False
        while not some and not await self._stopped_within(pause):
            pause = min(pause * 1.5, _LAST_LOOK_S)
            try:
                for batch in list(self._open.values()):
                    some = await self._looked(batches, batch) or some
                in_vain = 0
            except UpstreamError as error:
                in_vain += 1
                passing = trouble(error).again or error.status == _NOT_FOUND
                if not passing or in_vain >= _PATIENCE:
                    raise
                pause = max(pause, min(error.retry_after or 0.0, _LAST_LOOK_S))

    async def _looked(self, batches: Batches, batch: Batched) -> bool:
        """Look at a batch once, and collect it if it has ended; says whether it has."""
        try:
            return await self._followed(batches, batch)
        except UpstreamError as error:
            if error.status != _NOT_FOUND or time.time() - batch.time < _LONG_AGO_S:
                raise
            self._close(batch, _GONE)
            return True

    async def _followed(self, batches: Batches, batch: Batched) -> bool:
        state = await batches.state(batch.id)
        self._states[batch.name] = state
        states = [self._states[name] for name in self._open if name in self._states]
        done, total = sum(one.done for one in states), sum(one.total for one in states)
        self._progress(state.status.replace("_", " "), done, total)
        if not state.ended:
            return False
        if batch.name in self._unsure:
            self._unsure.remove(batch.name)
            del self._open[batch.name]
            await self._resumed(batches, msgspec.structs.replace(batch, id=""))
        else:
            await self._collect(batches, batch, state)
        return True

    async def _collect(self, batches: Batches, batch: Batched, state: BatchState) -> None:
        """Put on disk what became of a batch's questions."""
        sent = dict(self._books.sent_in(batch.name))
        steps: list[Step] = []
        try:
            async with aclosing(batches.answers(batch.id)) as answers:
                async for answer in answers:
                    if answer.key not in sent:
                        continue
                    number, bound = sent.pop(answer.key)
                    steps += self._outcome(answer, number, bound)
                    if len(steps) >= _AT_A_TIME:
                        self._commit(steps)
                        steps = []
        finally:  # what was read is kept, though the rest is cut off
            self._commit(steps)
        if state.status == "failed" and sent:
            self.stop(f"The API would not run the batch: {state.why or 'it does not say why'}.")
        self._close(batch, _NOT_RUN if state.status == "failed" else _MISSING)

    def _commit(self, steps: Sequence[Step]) -> None:
        self._books.commit(steps)
        self.sitting.outcomes.update(one.outcome for one in steps if isinstance(one, Parsed))
        self.sitting.spent = self._cap.settled
        self._told(self.sitting)

    def _outcome(self, answer: BatchAnswer, number: int, bound: int | None) -> list[Step]:
        key = answer.key
        if answer.body is None:
            told = trouble(UpstreamError(answer.why, answer.status))
            return [self._failed(key, number, bound, told if answer.status else _NOT_RUN)]
        try:
            said, usage, _ = parse_answer(answer.body)
        except InputError as error:
            return [self._failed(key, number, bound, trouble(error))]
        cost = None if usage is None else self._price(usage, time.time())
        self._cap.settle(bound or 0, cost)
        self._in_vain = 0
        stored = Stored(key, number, answer.body, time.time(), usage, cost)
        question = self._known.get(key)
        if question is None:  # another run's: it is read when that is gone on with
            return [stored]
        return [stored, Parsed(key, self._judge(question.text, said), said)]

    def _failed(self, key: str, number: int, bound: int | None, found: Trouble) -> Failed:
        """Return the step that tells a failure, and let the question be asked again."""
        self.sitting.failures[found.why] += 1
        self._cap.settle(bound or 0, 0 if found.paid is False else None)
        question = self._known.get(key)
        if question is not None:
            held = self._terms.hold and found.paid is None
            if found.again and not held and self._sends[key] - question.sends < TRIES:
                self._left[key] = question
            else:
                self.sitting.left += 1
                self._in_vain += 1
        if found.ends or self._in_vain >= HOPELESS:
            self.stop(found.ends or hopeless(found))
        return Failed(key, number, found.why, found.paid)

    async def _stopped_within(self, seconds: float) -> bool:
        """Wait; says whether it was told to stop, at once then."""
        try:
            async with asyncio.timeout(seconds):
                return await self._stopping.wait()
        except TimeoutError:
            return False
