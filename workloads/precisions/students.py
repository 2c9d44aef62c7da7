"""Smaller models that learn again: distilled, and half of the channels gone.

Their weights are not the reference's, so they belong to the open track.
"""

from typing import Any

from harness.contracts import Skip
from workloads.conversion import (
    INFER,
    Context,
    Converted,
    parameter_count,
    precision,
)

EPOCHS = 2


@precision(
    "distilled",
    "a student of half the size, trained here on the labels and the fp32 model's "
    "answers",
    phases=INFER,
    track="open",
    portable=True,
)
def distilled(model: Any, context: Context) -> Converted | Skip:
    """Hinton's distillation (arXiv 1503.02531): softened answers beside the labels."""
    if context.coach is None:
        return Skip("there are no data to train a student on")
    before = parameter_count([model])
    student = context.coach.student()
    student = context.coach.taught(student, epochs=EPOCHS, teacher=model)
    return Converted(
        student,
        parameters_ratio=1.0,
        layers=sum(1 for m in student.modules() if list(m.parameters(recurse=False))),
        scheme=f"student of {parameter_count([student]) / before:.0%} of the "
        f"parameters, {EPOCHS} epochs",
    )
