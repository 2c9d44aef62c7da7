from pathlib import Path

import pytest

from harness.errors import UsageError
from reports.gating.policy import load_policy, policy_schema

WHOLE = """
schema: 1
delta: 5 %
alpha: 0.01
accuracy_drop: 0.5 points
min_rounds: 3
floors: {energy_per_item_j: 5 uJ, memory_peak_bytes: 1 MB}
ignore: [torch]
overrides:
  - {key: "bert/*", delta: 20 %, floors: {energy_per_item_j: 1 mJ}}
  - {key: "*", metric: weight_bytes, delta: 1%}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "gate.yaml"
    path.write_text(text)
    return path


def test_a_whole_policy(tmp_path: Path) -> None:
    policy = load_policy(written(tmp_path, WHOLE))

    bert = policy.of("bert/infer/fp32", "energy_per_item_j")
    assert (bert.delta, bert.min_rounds, bert.accuracy_drop) == (0.2, 3, 0.005)
    assert bert.floors["energy_per_item_j"] == pytest.approx(1e-3)
    assert bert.floors["memory_peak_bytes"] == pytest.approx(1e6)
    assert policy.of("cnn/infer", "weight_bytes").delta == 0.01
    assert (policy.alpha, policy.ignore) == (0.01, ("torch",))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("delta: 5", "not a change such as '10 %'"),
        ("delta: 0 %", "above 0 %"),
        ("detla: 5 %", "did you mean 'delta'"),
        ("accuracy_drop: 0.005", "such as '0.5 points'"),
        ("min_rounds: 1", "between 2 and 1000"),
        ("floors: {energy_per_item_j: 5}", "such as '5 nJ'"),
        ("floors: {energy_per_item_j: 5 MB}", "unknown unit 'MB'"),
        ("alpha: 0", "nothing would ever be shown"),
        ("overrides: [{delta: 5 %}]", "key 'key' is missing"),
    ],
)
def test_faults_name_their_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"gate\.yaml:") as raised:
        load_policy(written(tmp_path, f"schema: 1\n{line}\n"))

    assert said in raised.value.message


def test_the_schema_takes_the_same_file() -> None:
    import jsonschema
    import yaml

    jsonschema.validate(yaml.safe_load(WHOLE), policy_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": 1, "delta": 5}, policy_schema())
