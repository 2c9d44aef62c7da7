from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.contracts import Skip
from harness.records import Configuration, Phase
from workloads import precision
from workloads.precision import (
    PRECISIONS,
    Context,
    Converted,
    has_bf16,
    unsupported,
    weight_bytes,
)


class TinyLstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.lstm(x)[0].amax(1))
        return out


def converted(name: str, model: Any, phase: str, workload: str) -> Converted:
    found = PRECISIONS[name].convert(model, Context(phase, workload, "cpu"))
    assert isinstance(found, Converted)
    return found


def configuration(workload: str, phase: str, device: str = "cpu") -> Configuration:
    return Configuration(
        workload=workload,
        phase=Phase(phase),
        precision="fp32",
        device=device,
        batch_size=1,
    )


def test_fp32_changes_nothing() -> None:
    model = nn.Linear(3, 2)
    found = converted("fp32", model, "infer", "bert")
    assert found.model is model
    assert found.parameters_ratio == 0.0


def test_bf16_halves_the_weights() -> None:
    model = nn.Linear(8, 4)
    before = weight_bytes(model)
    found = converted("bf16", model, "infer", "cnn")
    assert weight_bytes(found.model) == before / 2
    assert found.input_dtype == torch.bfloat16
    assert (found.parameters_ratio, found.layers) == (1.0, 1)


@pytest.mark.parametrize("real", [True, False])
def test_bf16_training_needs_the_instructions(
    monkeypatch: pytest.MonkeyPatch, *, real: bool
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda: real)
    context = Context("train", "cnn", "cpu")
    found = PRECISIONS["bf16"].convert(nn.Linear(2, 2), context)
    assert isinstance(found, Converted if real else Skip)
    reason = unsupported("bf16", configuration("cnn", "train"))
    assert (reason is None) == real
    doubts = converted("bf16", nn.Linear(2, 2), "infer", "cnn").doubts
    assert (doubts == ()) == real
    assert unsupported("bf16", configuration("cnn", "train", "cuda")) is None


def test_int8_converts_linear_layers() -> None:
    model = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 16)).eval()
    x = torch.randn(4, 32)
    expected, before = model(x), weight_bytes(model)
    found = converted("int8-dynamic", model, "infer", "bert")
    assert found.layers == 2
    assert 0.9 < found.parameters_ratio < 1
    assert weight_bytes(found.model) < before / 2
    with torch.inference_mode():
        assert torch.allclose(found.model(x), expected, atol=0.1)


def test_int8_lstm() -> None:
    model = TinyLstm().eval()
    x = torch.randn(2, 3, 4)
    expected = model(x)
    found = converted("int8-dynamic", model, "infer", "rnn")
    assert found.layers == 2
    assert found.parameters_ratio == 1.0
    assert "quantize_dynamic" in found.scheme
    assert weight_bytes(found.model) > 0
    with torch.inference_mode():
        assert torch.allclose(found.model(x), expected, atol=0.1)


@pytest.mark.parametrize("workload", ["bert", "rnn"])
def test_nothing_to_convert_is_a_skip(workload: str) -> None:
    context = Context("infer", workload, "cpu")
    found = PRECISIONS["int8-dynamic"].convert(nn.Conv2d(1, 1, 1), context)
    assert isinstance(found, Skip)


@pytest.mark.parametrize(
    ("workload", "phase", "device", "runs"),
    [
        ("bert", "infer", "cpu", True),
        ("bert", "train", "cpu", False),
        ("cnn", "infer", "cpu", False),
        ("rnn", "infer", "cpu", True),
        ("rnn", "infer", "cuda", False),
        ("bert", "infer", "cuda", True),
    ],
)
def test_the_plan_knows_what_the_conversion_would_say(
    workload: str, phase: str, device: str, *, runs: bool
) -> None:
    reason = unsupported("int8-dynamic", configuration(workload, phase, device))
    assert (reason is None) == runs
    if not runs:
        found = PRECISIONS["int8-dynamic"].convert(
            TinyLstm(), Context(phase, workload, device)
        )
        assert isinstance(found, Skip)


@pytest.mark.parametrize(
    ("text", "real"),
    [
        ("flags\t\t: fpu avx2", False),
        ("flags\t\t: fpu avx512_bf16 avx2", True),
        ("Features\t: fp asimd bf16", True),
        ("model name : bf16", False),
    ],
)
def test_flags_of_the_processor(tmp_path: Path, text: str, *, real: bool) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert has_bf16(tmp_path / "cpuinfo") == real


def test_no_cpuinfo_is_no_bf16(tmp_path: Path) -> None:
    assert not has_bf16(tmp_path / "missing")
