"""Small records for tests."""

from harness.records import Configuration, Phase, TrialRecord


def record(trial: str) -> TrialRecord:
    return TrialRecord(
        schema=1,
        trial=trial,
        key="bert/infer/fp32/cpu/b32",
        round=0,
        status="failed",
        reason="killed",
        configuration=Configuration(
            workload="bert",
            phase=Phase.INFER,
            precision="fp32",
            device="cpu",
            batch_size=32,
        ),
    )
