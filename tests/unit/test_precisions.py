"""Each precision changes what it claims, and by how much, or says why it cannot."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.contracts import Skip
from harness.records import Configuration, Phase
from workloads.bert import BertClassifier
from workloads.conversion import (
    PRECISIONS,
    Context,
    Converted,
    has_bf16,
    parameter_count,
    weight_bytes,
)
from workloads.precisions import floats, pruning
from workloads.runtimes import RUNTIMES, unsupported

BATCH, LENGTH = 8, 16


class TinyLstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.lstm(x)[0].amax(1))
        return out


class TinyCnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x).mean((2, 3)))
        return out


class Coach:
    """Teaches nothing: the untaught model is what comes back."""

    def __init__(self, student: nn.Module) -> None:
        self._student = student

    def student(self) -> nn.Module:
        return self._student

    def taught(self, model: nn.Module, *, epochs: int, teacher: nn.Module) -> Any:
        assert epochs > 0
        assert teacher is not model
        return model.eval()


def bert() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return BertClassifier(2, 64, 2, 5).eval(), torch.randint(1, 4000, (BATCH, LENGTH))


def cnn() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return TinyCnn().eval(), torch.rand(BATCH, 1, 12, 12)


def rnn() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return TinyLstm().eval(), torch.rand(BATCH, 5, 4)


MAKERS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "bert": bert,
    "cnn": cnn,
    "rnn": rnn,
}


def context(
    workload: str, example: Tensor, phase: str = "infer", runtime: str = "eager"
) -> Context:
    def batches() -> Iterator[Tensor]:
        yield from [example] * 4

    return Context(phase, workload, "cpu", runtime, example, batches)


def converted(name: str, workload: str, phase: str = "infer") -> Converted:
    model, example = MAKERS[workload]()
    found = PRECISIONS[name].convert(model, context(workload, example, phase))
    assert isinstance(found, Converted)
    return found


def answers(model: Any, x: Tensor, dtype: Any = None) -> Tensor:
    with torch.inference_mode():
        out: Tensor = model(x.to(dtype) if dtype and x.is_floating_point() else x)
    return out.float()


def test_fp32_changes_nothing() -> None:
    model, example = cnn()
    found = PRECISIONS["fp32"].convert(model, context("cnn", example))
    assert isinstance(found, Converted)
    assert found.model is model
    assert found.parameters_ratio == 0.0


@pytest.mark.parametrize(
    ("name", "workload", "bytes_left", "error"),
    [
        ("bf16", "bert", (0.49, 0.51), 0.05),
        ("bf16", "cnn", (0.49, 0.55), 0.05),
        ("bf16", "rnn", (0.49, 0.51), 0.05),
        ("int8-dynamic", "bert", (0.5, 0.95), 0.1),
        ("int8-dynamic", "rnn", (0.1, 1.5), 0.1),
        ("int8-weight", "bert", (0.3, 0.6), 0.1),
        ("int4-weight", "bert", (0.3, 0.6), 0.5),
        ("int8-static", "bert", (0.5, 0.95), 0.2),
        ("int8-static", "cnn", (0.2, 0.7), 0.1),
        ("prune-50", "cnn", (1.0, 1.0), 1.0),
    ],
)
def test_weights_shrink_and_answers_stay(
    name: str, workload: str, bytes_left: tuple[float, float], error: float
) -> None:
    model, example = MAKERS[workload]()
    before, expected = weight_bytes(model), answers(model, example)

    found = PRECISIONS[name].convert(model, context(workload, example))

    assert isinstance(found, Converted)
    share = (found.weight_bytes or weight_bytes(found.model)) / before
    assert bytes_left[0] <= share <= bytes_left[1]
    given = answers(found.model, example, found.input_dtype)
    off = (given - expected).norm() / expected.norm()
    assert 0 < off < error, "not a bit changed, or too many"
    assert found.layers > 0
    assert 0 < found.parameters_ratio <= 1
    assert found.scheme != "none"


@pytest.mark.parametrize(
    ("name", "dtype"), [("int8-dynamic", torch.int8), ("int8-weight", torch.int8)]
)
def test_weights_of_linear_layers_are_integers(name: str, dtype: Any) -> None:
    found = converted(name, "bert")
    linears: list[Any] = [m for m in found.model.modules() if isinstance(m, nn.Linear)]
    assert len(linears) == found.layers == 14
    assert all(m.weight.qdata.dtype == dtype for m in linears)


def test_int4_packs_two_weights_a_byte_where_the_shape_allows() -> None:
    found = converted("int4-weight", "bert")
    packed = [m for m in found.model.modules() if hasattr(m, "weight")]
    packed = [m for m in packed if hasattr(m.weight, "__tensor_flatten__")]
    assert len(packed) == found.layers == 13, "the head has 5 outputs, no 16"
    layer = found.model.bert.bert.encoder.layer[0].intermediate.dense
    assert layer.weight.qdata.numel() * 2 == 64 * 256


def test_static_int8_runs_onednns_kernels() -> None:
    found = converted("int8-static", "cnn")
    called = {str(n.target) for n in found.model.graph.nodes}
    assert any("onednn.qconv" in name for name in called), called
    assert any("onednn.qlinear" in name for name in called), called


def test_int8_lstm_is_torchs_own() -> None:
    found = converted("int8-dynamic", "rnn")
    assert type(found.model.lstm).__module__.startswith("torch.ao.nn.quantized")
    assert found.parameters_ratio == 1.0


@pytest.mark.parametrize(("name", "share"), [("prune-50", 0.5), ("prune-90", 0.9)])
def test_pruning_sets_the_smallest_weights_to_zero(name: str, share: float) -> None:
    model, example = cnn()
    sizes = model.body[0].weight.detach().abs().flatten().sort().values  # type: ignore[index, union-attr]
    found = PRECISIONS[name].convert(model, context("cnn", example))
    assert isinstance(found, Converted)
    kept = found.model.body[0].weight.detach().abs()
    assert (kept == 0).float().mean().item() == pytest.approx(share, abs=0.02)
    assert kept[kept > 0].min() >= sizes[int(len(sizes) * share) - 1]
    assert [doubt.code for doubt in found.doubts] == ["dense-kernels"]


def test_two_of_four_are_the_largest() -> None:
    weight = torch.tensor([[1.0, -4.0, 2.0, 3.0, 0.1, 0.2, -0.3, 0.0]])
    kept = pruning.keep_2_of_4(weight)
    assert kept.tolist() == [
        [0.0, -4.0, 0.0, 3.0, 0.0, pytest.approx(0.2), pytest.approx(-0.3), 0.0]
    ]


@pytest.mark.parametrize("workload", ["bert", "cnn"])
def test_channels_are_taken_out(workload: str) -> None:
    model, example = MAKERS[workload]()
    before, expected = parameter_count([model]), answers(model, example)
    made = context(workload, example)
    made = Context(**{**vars(made), "coach": Coach(model)})

    found = PRECISIONS["channels-50"].convert(model, made)

    assert isinstance(found, Converted)
    after = parameter_count([found.model])
    assert after < before
    assert found.parameters_ratio == pytest.approx(1 - after / before)
    assert answers(found.model, example).shape == expected.shape


def test_a_student_takes_the_place_of_its_teacher() -> None:
    model, example = cnn()
    student = TinyCnn()
    made = Context(**{**vars(context("cnn", example)), "coach": Coach(student)})
    found = PRECISIONS["distilled"].convert(model, made)
    assert isinstance(found, Converted)
    assert found.model is student


@pytest.mark.parametrize("workload", ["bert", "cnn"])
def test_quantisation_aware_training_learns_and_is_scored_in_int8(
    workload: str,
) -> None:
    found = converted("int8-qat", workload, "train")
    _, example = MAKERS[workload]()
    model = found.resume(found.model)
    rate = torch.optim.SGD(model.parameters(), 0.1)
    losses = []
    for _ in range(8):
        loss = nn.functional.cross_entropy(model(example), torch.arange(BATCH) % 3)
        rate.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        rate.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]

    scored = found.examinee(model)

    kinds = {b.dtype for b in scored.buffers()}
    assert torch.int8 in kinds
    assert answers(scored, example[:3]).shape[0] == 3, "any number of items"
    assert model(example).requires_grad, "it can go on learning"


@pytest.mark.parametrize("real", [True, False])
def test_bf16_training_needs_the_instructions(
    monkeypatch: pytest.MonkeyPatch, *, real: bool
) -> None:
    monkeypatch.setattr(floats, "has_bf16", lambda: real)
    model, example = cnn()
    found = PRECISIONS["bf16"].convert(model, context("cnn", example, "train"))
    assert isinstance(found, Converted if real else Skip)
    reason = unsupported(configuration("cnn", "train", "bf16"))
    assert (reason is None) == real
    doubts = converted("bf16", "cnn").doubts
    assert (doubts == ()) == real
    assert unsupported(configuration("cnn", "train", "bf16", "cuda")) is None


@pytest.mark.parametrize("name", ["int8-dynamic", "int8-weight", "int4-weight"])
def test_nothing_to_convert_is_a_skip(name: str) -> None:
    made = context("bert", torch.rand(1, 1, 4, 4))
    found = PRECISIONS[name].convert(nn.Conv2d(1, 1, 1), made)
    assert isinstance(found, Skip)


def configuration(
    workload: str,
    phase: str,
    precision: str,
    device: str = "cpu",
    runtime: str = "eager",
) -> Configuration:
    return Configuration(
        workload=workload,
        phase=Phase(phase),
        precision=precision,
        device=device,
        batch_size=1,
        runtime=runtime,
    )


@pytest.mark.parametrize(
    ("precision", "workload", "phase", "device", "runtime", "words"),
    [
        ("fp16", "bert", "infer", "cpu", "eager", "4 .* to 17 .* slower"),
        ("tf32", "bert", "infer", "cpu", "eager", "needs the device cuda"),
        ("fp8", "bert", "infer", "cpu", "eager", "compute capability 8.9"),
        ("prune-2:4", "bert", "infer", "cpu", "eager", "needs the device cuda"),
        ("int8-dynamic", "cnn", "infer", "cpu", "eager", "is its head"),
        ("int8-dynamic", "rnn", "infer", "cuda", "eager", "cpu alone"),
        ("int8-dynamic", "rnn", "infer", "cpu", "compile", "cannot trace"),
        ("int8-weight", "rnn", "infer", "cpu", "eager", "recurrent"),
        ("int8-static", "rnn", "infer", "cpu", "compile", "recurrent"),
        ("int8-static", "cnn", "infer", "cuda", "compile", "x86"),
        ("int8-static", "cnn", "train", "cpu", "eager", "for infer only"),
        ("int8-qat", "cnn", "infer", "cpu", "eager", "for train only"),
        ("int8-qat", "cnn", "train", "cpu", "compile", "operation by operation"),
        ("distilled", "cnn", "infer", "cpu", "eager", "track: open"),
        ("channels-50", "rnn", "infer", "cpu", "eager", "LSTM"),
        ("fp32", "cnn", "train", "cpu", "openvino", "for infer only"),
        ("fp32", "cnn", "infer", "cpu", "tensorrt", "needs the device cuda"),
        ("bf16", "cnn", "infer", "cpu", "onnxruntime", "no way to bf16 on onnxr"),
    ],
)
def test_what_cannot_run_is_known_before_with_its_reason(
    precision: str, workload: str, phase: str, device: str, runtime: str, words: str
) -> None:
    reason = unsupported(configuration(workload, phase, precision, device, runtime))
    assert reason is not None
    assert any(part in reason for part in words.split(" .* "))


def test_a_run_time_that_is_not_installed_names_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workloads.runtimes.find_spec", lambda _: None)
    reason = unsupported(configuration("cnn", "infer", "fp32", runtime="openvino"))
    assert reason is not None
    assert "pip install 'joulebench[openvino]'" in reason


def test_engines_run_what_torch_has_no_kernels_for() -> None:
    found = configuration("cnn", "infer", "int8-weight", runtime="openvino")
    assert unsupported(found) is None


def test_every_precision_and_run_time_says_what_it_is() -> None:
    everything: list[Any] = [*PRECISIONS.values(), *RUNTIMES.values()]
    for found in everything:
        assert found.about
        assert set(found.phases) <= {"train", "infer"}
        assert not found.packages or found.extra


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
