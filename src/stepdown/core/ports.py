"""What rooms need of each other, as small protocols; `cli` alone wires them."""

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set,
)
from contextlib import AbstractAsyncContextManager
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from stepdown.core.calls import Answer, Call, Request, Usage
from stepdown.core.datasets import Example
from stepdown.core.tasks import Input, Task

__all__ = [
    "BatchAnswer",
    "BatchProvider",
    "BatchState",
    "Batches",
    "CallStore",
    "Choosy",
    "Complete",
    "Complexity",
    "Connect",
    "Durability",
    "Engine",
    "Exchange",
    "Family",
    "Item",
    "Line",
    "LogFormat",
    "ModelFamily",
    "Prediction",
    "Progress",
    "Provider",
    "Rehearsed",
    "Rehearsing",
    "Result",
    "Screen",
    "Student",
    "Tally",
    "silent",
]

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[str, int, int], None]
"""progress(stage, done, total): long work tells how far it is; total 0 means unknown."""


def silent(stage: str, done: int, total: int) -> None:
    """Tell nobody."""


class Line(msgspec.Struct, frozen=True):
    """One raw line of a log with where it stood, for messages."""

    data: bytes
    source: str
    number: int


Screen = Callable[[bytes], bytes | None]
"""screen(line) → the line without what may not be kept; None: none of it may be."""


class LogFormat(Protocol):
    """A log format: does a line look like mine, and what calls are in the lines.

    `read` yields a Call, or a str: the reason why a line was rejected (counted, never fatal).
    A format that joins lines (batch input with output) holds what waits for its other half.
    """

    name: str

    def detect(self, sample: Sequence[dict[str, Any]]) -> bool:
        """Say whether the first decoded lines of a file are of this format."""
        ...

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield each line's call, or the reason why there is none."""
        ...


class Prediction(msgspec.Struct, frozen=True):
    """A student's answer to one input.

    `record` is flattened as in `Example`; `answer` is the assembled, schema-valid answer, or None
    when the student abstains, and then `abstained` says why. `confidence` in [0, 1] is that the
    whole record equals the teacher's; `fields` has each field's own. `novelty` in [0, 1] is how
    unlike the training inputs this one is: the share of those that are less so; 0 says nothing.
    """

    record: dict[str, Any]
    answer: Answer | None
    confidence: float
    fields: dict[str, float] = {}
    abstained: str = ""
    novelty: float = 0.0


class Rehearsed(msgspec.Struct, frozen=True):
    """A guess for a training row by a model that was not trained on it; the student's own stand-in.

    `confidence` is None where it abstained.
    """

    record: dict[str, Any]
    confidence: float | None


class Rehearsing(Protocol):
    """A student fresh from training may have `rehearsed`: guesses by the training rows' ids.

    They are not saved with it. The climb estimates and joins rungs by them, so that calibration
    rows certify and never choose.
    """

    rehearsed: Mapping[str, Rehearsed]


class Student(Protocol):
    """A small model of one task, loaded and ready. `predict` raises nothing it can foresee."""

    id: str
    family: str

    def predict(self, given: Input) -> Prediction:
        """Answer one input; the hot path."""
        ...


class Family(Protocol):
    """A kind of student: how to train, save and load one.

    `parameters` is how many the model it starts from has, 0 for none: the ladder is climbed in
    this order.
    """

    name: str
    parameters: int

    def train(
        self, task: Task, examples: Sequence[Example], progress: Progress = silent
    ) -> Student:
        """Train on the examples (all of split train).

        Raises:
            NotEnoughData: there are too few, or only one label where two are needed.
            Unavailable: an extra, weights, memory or hardware that it needs is not there.
        """
        ...

    def save(self, student: Student, folder: Path) -> None:
        """Write the student's files (no manifest) into an existing empty folder."""
        ...

    def load(self, folder: Path, task: Task) -> Student:
        """Load what `save` wrote.

        Raises:
            ArtefactError: a file is missing or is not what it has to be.
        """
        ...


class ModelFamily(Family, Protocol):
    """A family that can start from several models; its plain form starts from its usual one."""

    def of(self, model: str = "", scratch: Path | None = None) -> Family:
        """Return the family that starts from `model`: a hub's name, a folder, a catalogued name.

        `scratch` is a folder for checkpoints: training that was cut off goes on from there.
        """
        ...


class Choosy(Family, Protocol):
    """A family that is not for every task; naming it on the command line tries it all the same."""

    def unsuited(self, task: Task) -> str:
        """Return why the climb passes the family over for the task, or ""."""
        ...


Complete = Callable[[bytes], Awaitable[bytes]]
"""complete(body) → the JSON of a chat.completion for the JSON of a request; raises UpstreamError
when there is no answer, InputError when the body is no request."""


class Provider(Protocol):
    """A way to a model: `connect` gives what completes requests for as long as its block runs."""

    name: str

    def connect(
        self, source: str, api_key: str | None = None
    ) -> AbstractAsyncContextManager[Complete]:
        """Connect to `source`: an API root, or whatever the provider reads from."""
        ...


class BatchState(msgspec.Struct, frozen=True):
    """How far a batch is: `status` in the API's own word, `why` where it failed as a whole.

    When it has `ended` its answers can be read, however few there are. Not `sure`: it only looks
    like the one that was looked for.
    """

    id: str
    status: str
    ended: bool
    done: int
    total: int
    why: str = ""
    sure: bool = True


class BatchAnswer(msgspec.Struct, frozen=True):
    """What became of one item: the JSON of a chat.completion, or no `body` and `why`.

    `status` is the HTTP status that the item alone would have had, None where it was never run
    (the batch expired or was cancelled): nothing was paid for it.
    """

    key: str
    body: bytes | None
    status: int | None = None
    why: str = ""


class Batches(Protocol):
    """An API's batches: many requests at once, answered within a day. One has at most `most_items`
    and `most_bytes`. What fails raises UpstreamError.
    """

    most_items: int
    most_bytes: int

    async def find(
        self, name: str, keys: Set[str], since: float, others: Set[str]
    ) -> BatchState | None:
        """Look for a batch that was created as `name`, with items of these keys, after `since`.

        `others` are ids that can't be it. Where an API keeps no names nobody can be `sure` of one
        that has not ended.
        """
        ...

    async def create(self, name: str, items: Iterable[tuple[str, bytes]]) -> BatchState:
        """Create a batch of (key, body of a chat request); the keys are fit for a file's name."""
        ...

    async def state(self, id: str) -> BatchState:
        """Return how far a batch is."""
        ...

    def answers(self, id: str) -> AsyncGenerator[BatchAnswer]:
        """Yield what became of each item of a batch that has ended, in any order."""
        ...


class BatchProvider(Provider, Protocol):
    """A provider whose API takes batches too, at `batch_share` of the list price."""

    batch_share: Fraction

    def batches(
        self, source: str, api_key: str | None = None
    ) -> AbstractAsyncContextManager[Batches]:
        """Connect to the batches at the API root `source`."""
        ...


Complexity = Callable[[Request], float | None]
"""complexity(request) → the calibrated probability, in [0, 1], that a cheaper tier's answer is not
good enough; None when that can't be said. It is quick (< 0.2 ms) and raises nothing."""

Durability = Literal["async", "journal", "sync"]
"""What an acknowledged exchange survives: nothing for sure; the process's end; the machine's."""


class Exchange(msgspec.Struct, frozen=True):
    """One captured exchange, ready for the outbox: native log line plus the decision."""

    id: str
    time: float
    line: bytes
    task: str = ""
    tier: str = ""
    decision: str = ""
    reason: str = ""
    confidence: float | None = None


class Tally(msgspec.Struct, frozen=True):
    """How many captured calls share a task, a tier, a decision and a reason, and since when."""

    task: str
    tier: str
    decision: str
    reason: str
    count: int
    first_time: float
    last_time: float


class CallStore(Protocol):
    """Where captured calls are read again: a workspace's own file, or a database that is shared."""

    def lines(self, *, task: str = "", tier: str = "") -> Iterator[bytes]:
        """Yield the captured native log lines; `task` (an id) and `tier` pick some of them.

        Raises:
            InputError: it is no store of calls, or can't be reached.
        """
        ...

    def tallies(self) -> list[Tally]:
        """Return the number of captured calls by task, tier, decision and reason, most first.

        Raises:
            InputError: it is no store of calls, or can't be reached.
        """
        ...


Connect = Callable[[], AbstractAsyncContextManager[Complete]]
"""connect() → a block in which requests can be completed."""


class Engine(Protocol):
    """Where the work on many items runs; made with the number of workers asked for, or None."""

    name: str

    @property
    def workers(self) -> int:
        """How many processes work beside this one; 0: all is done here."""
        ...

    def map(
        self, work: Callable[[Item], Result], items: Iterable[Item], ahead: int = 2
    ) -> Iterator[Result]:
        """Yield what `work` makes of each item, in order; `ahead` items a worker are under way.

        `work` is a function of a module, may be called again for an item whose worker died, and
        raises what it would raise here, or Unavailable where there are no workers.
        """
        ...

    def asking(self, connect: Connect) -> AbstractAsyncContextManager[Complete]:
        """Give what has the workers complete requests, each over its own connection.

        Where a worker dies, nobody knows whether a request got through: that is an UpstreamError.
        """
        ...

    def close(self) -> None:
        """End what was started; what is under way is dropped."""
        ...


Price = Callable[[str, str, Usage], int | None]
"""price(tier, model, usage) → nanodollars of one call, rounded up; None where nobody knows: never
0."""


class Purse(Protocol):
    """Where money is kept count of, for good: of accounts, each in windows of time.

    Several gateways may share one: what is leased is nobody else's to spend. What was granted
    survives the process and the machine, so what a killed one had not spent yet counts as spent.
    Amounts are whole nanodollars. Every call may wait for a disk or a network, and is made from one
    thread. What fails raises StepdownError and has changed nothing.
    """

    def lease(self, account: str, window: str, amount: int, cap: int, least: int = 0) -> int:
        """Set aside up to `amount`, but nothing where it would be less than `least`, so that no
        more than `cap` is set aside in all; returns it."""
        ...

    def settle(self, account: str, window: str, amount: int) -> None:
        """Add what was spent beyond what was set aside; less than 0: give back what was not."""
        ...

    def spent(self, account: str, window: str) -> int:
        """Return what is set aside or spent."""
        ...
