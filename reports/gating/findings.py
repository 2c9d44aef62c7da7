"""What a gate found: a row for each configuration and measure, and the whole."""

from typing import Literal

from harness.noun import Noun
from reports.gating.rule import Verdict
from reports.rows import Interval

Against = Literal["baseline", "anchor"]
ORDER: tuple[Verdict, ...] = (
    "regressed", "inconclusive", "improved", "equivalent", "not-comparable",
)  # fmt: skip
"""The worst first: what the whole is called by."""
OK, REGRESSION, NO_EVIDENCE, NOTHING, ACCURACY = 0, 1, 3, 4, 5


class GateRow(Noun):
    """A measure of a configuration, candidate over baseline.

    Attributes:
        ratio: Of the geometric means, with the interval after Holm's correction.
        p: After Holm's correction; None where the measure is exact.
        minimal_detectable_ratio: The smallest true ratio that these rounds would tell
            from 1 in 80 of 100 comparisons.
        accuracy_delta: Accuracy of the candidate less that of the baseline.
        accuracy_lost: It fell by more than the policy lets it, and not by chance.
        paired: Both answered the same items, so that these cancel.
        baseline: Geometric mean, in the unit.
        candidate: Geometric mean, in the unit.
        rounds: Usable ones of baseline and candidate.
        delta: The relative change that was tolerated.
    """

    key: str
    metric: str
    verdict: Verdict
    against: Against = "baseline"
    unit: str = ""
    reason: str | None = None
    ratio: Interval = Interval()
    p: float | None = None
    minimal_detectable_ratio: float | None = None
    accuracy_delta: Interval = Interval()
    accuracy_lost: bool = False
    paired: bool = False
    baseline: float | None = None
    candidate: float | None = None
    rounds: tuple[int, int] = (0, 0)
    delta: float | None = None


class GateReport(Noun):
    """All that a gate found.

    Attributes:
        energy_checked: Joules that a sensor counted were compared.
        detail: What the verdict rests on, in one sentence.
    """

    verdict: Verdict
    exit_code: int = 0
    energy_checked: bool = False
    detail: str = ""
    rows: tuple[GateRow, ...] = ()
    notes: tuple[str, ...] = ()
    alpha: float = 0.05


class Demands(Noun):
    """What the caller wants beyond no regression.

    Attributes:
        strict: What could not be decided is a failure.
        require_sensor: So are joules that no sensor counted.
    """

    strict: bool = False
    require_sensor: bool = False


def report(
    rows: tuple[GateRow, ...], notes: tuple[str, ...], alpha: float, demands: Demands
) -> GateReport:
    """The whole of the rows, with the exit code."""
    whole = next((v for v in ORDER if any(r.verdict == v for r in rows)), ORDER[-1])
    known = [row for row in rows if row.verdict != "not-comparable"]
    checked = any(row.metric == "energy_per_item_j" for row in known)
    code, detail = _exit(rows, demands, checked=checked)
    return GateReport(
        verdict=whole,
        exit_code=code,
        energy_checked=checked,
        detail=detail,
        rows=rows,
        notes=notes,
        alpha=alpha,
    )


def _exit(
    rows: tuple[GateRow, ...], demands: Demands, *, checked: bool
) -> tuple[int, str]:
    """The exit code and why; accuracy counts before joules."""
    verdicts = [row.verdict for row in rows]
    undecided = sum(v in ("inconclusive", "not-comparable") for v in verdicts)
    if lost := {row.key for row in rows if row.accuracy_lost}:
        return ACCURACY, f"accuracy fell in {len(lost)} configurations"
    if all(verdict == "not-comparable" for verdict in verdicts):
        return NOTHING, "nothing could be compared, so that nothing is shown"
    if count := verdicts.count("regressed"):
        return REGRESSION, f"{count} of {len(rows)} rows regressed"
    left = f"{undecided} of {len(rows)} rows are undecided"
    if demands.require_sensor and not checked:
        return NO_EVIDENCE, "a sensor is required, and none counted joules"
    if undecided:
        code = NO_EVIDENCE if demands.strict else OK
        return code, f"no regression shown; {left}"
    return OK, "no regression"
