"""What the audit advises for a task, and why: every reason is a sentence with its figures."""

import math

import msgspec

from stepdown.audit.anatomy import Dissection
from stepdown.core import display
from stepdown.core.anatomy import Anatomy
from stepdown.core.digests import summary_of
from stepdown.core.filled import templates_of
from stepdown.core.stats import rows_needed
from stepdown.core.tasks import MONTH_DAYS, Verdict

__all__ = ["YEAR_DAYS", "AuditTerms", "Evidence", "break_even_days", "calls_needed", "judge"]

YEAR_DAYS = 365.0
_LEAST_BOUND = 0.1
"""Below this share of calls without a free field, there is too little for a student to answer."""
_LEAST_CALLS = 20
"""Too few to say anything, be it that the answers are prose."""
_LEAST_REPEATS = 30
_CALIBRATION_SHARE = 0.35
"""Of a small log 40 % calibrate, less the near-duplicates that are left out of held-out parts."""
_TRAIN_SHARE = 0.45
_ROWS_PER_LABEL = 3
_READ = 0.7
"""The share of a choice's values that stand in the input, from which on they are no mere labels."""
_NAMED_FIELDS = 4
_PROSE = "The answers are sentences, not values of a closed set or spans of the input."
_UNEXPLAINED = "The answers are neither values of a closed set nor spans of the input."


class AuditTerms(msgspec.Struct, frozen=True):
    """What the audit takes for granted; each figure is named in the reasons that rest on it.

    `budget` is the share of calls that may be answered differently from the teacher, `confidence`
    how sure the certificate is, `audit_share` the share of answered calls that is sent to the
    teacher as well. `expected_coverage` is the share of calls without a free field that a student
    is expected to answer; the proof measures it. `setup_usd` is what training and proving cost
    once in machine time: people's time is not in it, since only the team knows what that costs.
    """

    budget: float = 0.02
    confidence: float = 0.95
    audit_share: float = 0.02
    expected_coverage: float = 0.7
    setup_usd: float = 1.0


class Evidence(msgspec.Struct, frozen=True):
    """What was measured of one task that its verdict rests on; None is unknown.

    `days` is the time span of the whole log.
    """

    calls: int
    repeats: float
    dissection: Dissection
    spend_usd: float | None = None
    spend_usd_month: float | None = None
    priced_calls: int = 0
    days: float | None = None
    self_agreement: float | None = None
    self_agreement_repeats: int = 0

    @property
    def distinct(self) -> int:
        """How many calls have an input of their own."""
        return round(self.calls * (1 - self.repeats))


def calls_needed(terms: AuditTerms, labels: int) -> int:
    """Return how many calls with different inputs a certificate takes at least.

    Enough for the calibration part to certify anything at all (statistics.md §6.4, no error), and
    for the training part to hold a few of each label.
    """
    calibration = rows_needed(terms.budget, 1 - terms.confidence)
    train = _ROWS_PER_LABEL * labels
    return math.ceil(max(calibration / _CALIBRATION_SHARE, train / _TRAIN_SHARE))


def judge(evidence: Evidence, terms: AuditTerms) -> Verdict:
    """Return the verdict: the first of not possible, more data, not worth it that applies."""
    for test in (_not_possible, _more_data, _constant, _not_worth_it):
        verdict = test(evidence, terms)
        if verdict is not None:
            return verdict
    return _distil(evidence, terms)


def _labels(anatomy: Anatomy) -> int:
    """Count the labels to be learnt one by one: what mostly stands in the input can be read."""
    chosen = (f.distinct for f in anatomy.fields if f.kind == "choice" and f.aligned < _READ)
    return max(chosen, default=0)


def _missing(evidence: Evidence, terms: AuditTerms) -> int:
    needed = calls_needed(terms, _labels(evidence.dissection.anatomy))
    return max(0, needed - evidence.distinct)


def _not_possible(evidence: Evidence, terms: AuditTerms) -> Verdict | None:
    anatomy = evidence.dissection.anatomy
    if anatomy.bound_calls >= _LEAST_BOUND or evidence.calls < _LEAST_CALLS:
        return None
    if anatomy.several_calls_share > 0.5:
        share = display.share(anatomy.several_calls_share)
        return Verdict("not possible", (f"{share} of the answers call several tools at once.",))
    if not anatomy.fields:
        return Verdict("not possible", ("No answer could be read: refusals or empty answers.",))
    # A long list of labels looks free while most of it is unseen: only sentences are sure signs.
    if _missing(evidence, terms) and not evidence.dissection.prose:
        return None
    return Verdict("not possible", _free_reasons(evidence.dissection))


def _free_reasons(dissection: Dissection) -> tuple[str, ...]:
    anatomy = dissection.anatomy
    free = [field.path for field in anatomy.fields if field.kind == "free"]
    if free == [""]:
        return (_PROSE if dissection.prose else _UNEXPLAINED,)
    named = ", ".join(display.visible(path) for path in free[:_NAMED_FIELDS])
    more = f" and {len(free) - _NAMED_FIELDS} more" if len(free) > _NAMED_FIELDS else ""
    blocked = f"{display.share(1 - anatomy.bound_calls)} of the calls have a value in {named}{more}"
    reasons = [
        f"{blocked} that is neither one of a closed set nor a span of the input, so a small model"
        " can't give the whole answer."
    ]
    if len(free) < len(anatomy.fields):
        reasons.append(
            f"The other {display.share(anatomy.bound_fields)} of the values are not free: an answer"
            " without the free fields could be distilled."
        )
    return tuple(reasons)


def _more_data(evidence: Evidence, terms: AuditTerms) -> Verdict | None:
    missing = _missing(evidence, terms)
    if not missing:
        return None
    anatomy = evidence.dissection.anatomy
    needed = calls_needed(terms, _labels(anatomy))
    reasons = [
        f"The log has {display.plural(evidence.distinct, 'call')} with different inputs; a"
        f" certificate at a budget of {display.percent(terms.budget)} with"
        f" {display.percent(terms.confidence)} confidence takes at least {display.count(needed)}."
    ]
    if evidence.repeats > 0:
        reasons.append(f"{display.share(evidence.repeats)} of the calls repeat an earlier input.")
    if anatomy.bound_calls < _LEAST_BOUND:
        reasons.append("So few answers don't show yet whether their values form a closed set.")
    if _is_constant(anatomy):
        reasons.append("All answers so far are the same.")
    return Verdict("more data", tuple(reasons), missing)


def _is_constant(anatomy: Anatomy) -> bool:
    known = all(field.kind == "constant" for field in anatomy.fields)
    return known and anatomy.sampled > anatomy.unreadable == 0


def _constant(evidence: Evidence, terms: AuditTerms) -> Verdict | None:
    anatomy = evidence.dissection.anatomy
    if not _is_constant(anatomy):
        return None
    what = "the same"
    if len(anatomy.fields) == 1:
        what = f"“{display.shortened(display.visible(str(anatomy.fields[0].values[0])), 60)}”"
    reason = (
        f"All {display.count(anatomy.sampled)} answers looked at are {what}: there is nothing for"
        " a model to tell apart, so write the answer into your code instead."
    )
    return Verdict("not worth it", (reason,))


def _saving_month(evidence: Evidence, terms: AuditTerms) -> float | None:
    if evidence.spend_usd_month is None:
        return None
    answered = terms.expected_coverage * evidence.dissection.anatomy.bound_calls
    return evidence.spend_usd_month * answered * (1 - terms.audit_share)


def break_even_days(saving: float | None, terms: AuditTerms) -> float | None:
    """Return the days until a saving a month has paid for the set-up; None is unknown."""
    if saving is None:
        return None
    return terms.setup_usd / (saving / MONTH_DAYS) if saving > 0 else math.inf


def _not_worth_it(evidence: Evidence, terms: AuditTerms) -> Verdict | None:
    saving = _saving_month(evidence, terms)
    days = break_even_days(saving, terms)
    if days is None or days <= YEAR_DAYS:
        return None
    reasons = [
        f"The calls cost about {display.money(evidence.spend_usd_month)} a month, of which a small"
        f" model would save {display.money(saving)}.",
        "That never pays for the work."
        if math.isinf(days)
        else f"Training and proving it ({display.money(terms.setup_usd)} of machine time) would"
        f" pay off in {display.days(days)}, later than a year.",
        *_money_notes(evidence),
    ]
    known = None if math.isinf(days) else days
    return Verdict("not worth it", tuple(reasons), 0, saving, known)


def _distil(evidence: Evidence, terms: AuditTerms) -> Verdict:
    saving = _saving_month(evidence, terms)
    reasons = [*_fit(evidence.dissection.anatomy), *_money(evidence, saving, terms)]
    agreement = evidence.self_agreement
    enough = evidence.self_agreement_repeats >= _LEAST_REPEATS
    if agreement is not None and enough and agreement < 1 - terms.budget:
        reasons.append(
            "Asked the same twice, the teacher agrees with itself in"
            f" {display.share(agreement)} of the cases: on those no student can do better."
        )
    return Verdict("distil", tuple(reasons), 0, saving, break_even_days(saving, terms))


def _fit(anatomy: Anatomy) -> list[str]:
    templates = templates_of(anatomy)
    if templates:
        what = display.plural(len(templates), "template")
        return [
            f"{display.share(anatomy.bound_calls)} of the answers fill in {what}, whose slots are"
            " one of a closed set or a span of the input; the others stay with the teacher."
        ]
    if summary_of(anatomy) is not None:
        return [
            f"{display.share(anatomy.bound_calls)} of the answers are summaries made of what their"
            " inputs say, so sentences of the input can stand for them. They are judged by what"
            " they invent, miss or overrun, not word for word."
        ]
    if anatomy.bound_calls == 1:
        return ["Every value in the answers is one of a closed set or a span of the input."]
    free = [field.path or "the answer" for field in anatomy.fields if field.kind == "free"]
    reasons = [
        f"In {display.share(anatomy.bound_calls)} of the calls every value is one of a closed set"
        " or a span of the input; the others stay with the teacher."
    ]
    if free:
        named = ", ".join(display.visible(path) for path in free[:_NAMED_FIELDS])
        reasons.append(f"Free: {named}.")
    if anatomy.unreadable:
        reasons.append(
            f"{display.count(anatomy.unreadable)} of {display.count(anatomy.sampled)} answers"
            " looked at are not of the task's shape."
        )
    return reasons


def _money(evidence: Evidence, saving: float | None, terms: AuditTerms) -> list[str]:
    if saving is None:
        return _money_notes(evidence)
    return [
        f"The calls cost about {display.money(evidence.spend_usd_month)} a month; were"
        f" {display.percent(terms.expected_coverage)} of those without a free field answered"
        f" locally, and {display.percent(terms.audit_share)} of the answers audited, it would save"
        f" {display.money(saving)} a month.",
        *_money_notes(evidence),
    ]


def _money_notes(evidence: Evidence) -> list[str]:
    notes: list[str] = []
    if evidence.spend_usd is None:
        notes.append("What the calls cost is unknown: no price or no token count, so no saving.")
    elif evidence.spend_usd_month is None:
        notes.append(
            f"The log's {display.money(evidence.spend_usd)} can't be extrapolated to a month: it"
            " has no times, or spans less than an hour."
        )
    elif evidence.days is not None and evidence.days < 1:
        notes.append("The month is extrapolated from less than a day.")
    if 0 < evidence.priced_calls < evidence.calls:
        unknown = display.plural(evidence.calls - evidence.priced_calls, "call")
        notes.append(f"{unknown} without a known price are not counted.")
    return notes
