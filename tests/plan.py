"""The reliability plan's promises that tests are named after, and the table of how they fare.

A test belongs to the promise R-3 when its name begins with `test_r3_`. `make reliability` runs
those alone and writes docs/reliability.md from what they did.
"""

import re
from collections import defaultdict

__all__ = ["PROMISES", "promise_of", "table"]

PROMISES = {
    "D-1": "kill -9 under load: no acknowledged call is lost or doubled",
    "D-2": "killed at any system call of capture, the store opens and has what was acknowledged",
    "D-3": "a store cut short or with flipped bits is refused or read, never trusted blindly",
    "D-4": "a full disk: answers go on, what is missing is counted; `refuse` gives 503 alone",
    "D-5": "nothing is acknowledged after a failed fsync",
    "D-6": "a database that is locked, slow or down holds nobody up and loses nothing",
    "D-9": "what is delivered twice is stored once",
    "D-10": "SIGTERM drains: what is under way ends well or with an error, exit 0",
    "D-11": "a second writer on one store refuses to start",
    "D-13": "the outbox against its model, in any order of events",
    "R-1": "an upstream that never answers is left in time, then alone",
    "R-2": "an upstream that can't be reached is told within two seconds",
    "R-3": "storms of 429 and 5xx: retries stay in their budget, Retry-After is obeyed",
    "R-4": "a stream that stalls ends truthfully, and never with another model's text",
    "R-5": "a stream cut at any byte never says that it is done",
    "R-6": "the breaker opens, lets one probe through, and closes",
    "R-7": "overload is shed early, and what is accepted is served",
    "R-8": "one slow upstream does not starve the others",
    "R-9": "callers who leave free what they held",
    "R-10": "a student that fails in any way is an escalation",
    "R-12": "every dependency, down, slow or wrong, has an outcome that a test holds",
    "L-1": "labelling killed between items: each is asked exactly once",
    "L-2": "labelling killed at random: nothing stored is asked again, the bill is told",
    "L-3": "labelling killed at any fsync: one stored label, and never one without its bytes",
    "L-4": "a teacher that fails in any way: counted, three tries at most, the cap kept",
    "L-5": "labelling under changed terms is another run, never mixed",
    "L-6": "a batch whose creation was killed is found again: never a second one",
    "L-7": "workers and driver of a Ray cluster killed: the same result, and nothing left",
    "C-1": "twins, near-twins and kin never stand on both sides of a split",
    "C-2": "thresholds keep their promise on fresh data; the test part opens once",
    "C-3": "other tools or another schema: refused and escalated",
    "C-4": "another word, number or date in the prompt, or another setting: no silent answer",
    "C-9": "a proof is the same bytes again, and an edited one is refused",
    "C-10": "what is not proven can't be promoted",
    "M-1": "an artefact with one byte changed is refused before it is parsed",
    "M-3": "no artefact, however made, runs code",
    "M-4": "nothing that unpickles or evaluates is shipped",
    "M-7": "students are swapped under load without an error",
    "M-8": "a student whose outputs are others than where it was published is refused",
    "P-1": "no credential in anything that is kept or told",
    "P-2": "what can't be redacted is not kept",
    "P-3": "who is forgotten and what is too old is in no file; students that learnt it are named",
    "P-4": "no text of a prompt and no key in metrics, access log and errors",
    "P-5": "files are private; secrets are not where others look",
    "S-1": "no input changes the text of an SQL statement",
    "S-2": "every path of every plane admits the roles of one table, and no others",
    "S-3": "a key is known by the whole of it; a revoked one stops within five seconds",
    "S-4": "keys are stored hashed, and compared in constant time",
    "S-5": "a key goes to its own upstream alone",
    "S-6": "what goes upstream is on a list; nothing in a request can redirect it",
    "S-7": "no Host header changes who gets in",
    "S-8": "no request is smuggled past the parser",
    "S-9": "sizes are bounded, and their answers come at once",
    "S-10": "slow senders and readers are let go",
    "S-11": "no body makes a 5xx",
    "S-15": "a hostile upstream is cut off",
    "S-16": "money is reserved before it is spent: no cap is ever exceeded",
    "S-18": "planted calls: no user has more than his share, and triggers are found",
    "S-19": "inputs that talk to the teacher: no label out of the set, flips are quarantined",
    "S-21": "nothing listens but what is documented",
    "O-8": "every guard fires over HTTP when a file switches it on, and not when it is off",
}

_NAMED = re.compile(r"^test_([a-z])(\d+)_")


def promise_of(test: str) -> str | None:
    """Return the promise that the test of that name is for."""
    found = _NAMED.match(test)
    if found is None:
        return None
    key = f"{found[1].upper()}-{found[2]}"
    return key if key in PROMISES else None


def table(results: list[tuple[str, str, list[str]]]) -> list[str]:
    """Return the rows of the page: (promise, outcome, figures) of each test, told by promise."""
    outcomes = defaultdict(lambda: defaultdict(int))
    figures = defaultdict(list)
    for promise, outcome, found in results:
        outcomes[promise][outcome] += 1
        figures[promise] += [text for text in found if text not in figures[promise]]
    lines = ["| ID | promise | tests | measured |", "| --- | --- | --- | --- |"]
    for promise, words in PROMISES.items():
        if promise in outcomes:
            told = ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes[promise].items()))
            lines.append(f"| {promise} | {words} | {told} | {'; '.join(figures[promise])} |")
    return lines
