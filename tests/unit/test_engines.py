import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from harness.contracts import Skip
from workloads.bert import BertClassifier
from workloads.cnn_models import ResNet
from workloads.conversion import Context, Converted, has_bf16, weight_bytes
from workloads.rnn import BiLstm
from workloads.runtimes import onnx_runtime, openvino_runtime, tensorrt

PACKAGES = {
    "openvino": ("openvino", "nncf"),
    "onnxruntime": ("onnx", "onnxruntime", "onnxscript"),
}
CONVERT = {"openvino": openvino_runtime.convert, "onnxruntime": onnx_runtime.convert}
CLASSES = 6
BOUNDS = {  # of the relative error on random weights
    "fp32": 1e-5,
    "bf16": 0.03,
    "int8-static": 0.2,
    "int8-dynamic": 0.1,
    "int8-weight": 0.1,
    "int4-weight": 0.3,
}


def inputs(family: str, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if family == "cnn":
        return torch.randn(4, 1, 28, 28, generator=generator)
    ids = torch.randint(1, 4_000, (4, 24), generator=generator)
    ids[0, 20:] = 0
    return ids


def calibration(family: str) -> Iterator[Tensor]:
    return (inputs(family, seed) for seed in range(1, 5))


@cache
def model_of(family: str) -> nn.Module:
    torch.manual_seed(0)
    if family == "bert":
        model: nn.Module = BertClassifier(2, 128, 2, CLASSES)
    elif family == "cnn":
        model = ResNet(16, (1, 1, 1), CLASSES, bottleneck=False)
    else:
        model = BiLstm(1, 128, CLASSES)
    return model.eval().requires_grad_(requires_grad=False)


def context_of(family: str, engine: str = "openvino") -> Context:
    return Context(
        "infer",
        family,
        "cpu",
        runtime=engine,
        example=inputs(family, 0),
        calibration=lambda: calibration(family),
    )


@cache
def found(engine: str, family: str, precision: str) -> Converted | Skip:
    missing = [name for name in PACKAGES[engine] if find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing} not installed")
    context = context_of(family, engine)
    return CONVERT[engine](model_of(family), precision, context)


def converted(engine: str, family: str, precision: str) -> Converted:
    made = found(engine, family, precision)
    assert isinstance(made, Converted), made
    return made


def error(made: Converted, family: str, seed: int = 0) -> float:
    """Distance from torch's logits over their size."""
    batch = inputs(family, seed)
    with torch.inference_mode():
        expected, answer = model_of(family)(batch), made.model(batch)
    assert answer.shape == expected.shape
    assert answer.dtype == torch.float32
    return float((answer - expected).norm() / expected.norm())


ENGINES_FAMILIES = [(e, f) for e in CONVERT for f in ("bert", "cnn", "rnn")]


@pytest.mark.parametrize(("engine", "family"), ENGINES_FAMILIES)
def test_fp32_is_fp32_and_each_answer_its_own(engine: str, family: str) -> None:
    made = converted(engine, family, "fp32")

    first = made.model(inputs(family, 0))
    before = first.clone()
    made.model(inputs(family, 9))

    assert torch.equal(first, before)
    assert error(made, family, seed=9) < BOUNDS["fp32"]
    assert made.peak == "fp32"
    assert (made.parameters_ratio, made.layers) == (0.0, 0)
    assert made.weight_bytes == pytest.approx(weight_bytes(model_of(family)), rel=0.15)


FEW_BITS = [
    ("openvino", "bert", "int8-static", 13),
    ("openvino", "bert", "int8-weight", 13),
    ("openvino", "bert", "int4-weight", 13),
    ("openvino", "cnn", "int8-static", 10),
    ("onnxruntime", "bert", "int8-dynamic", 13),
    ("onnxruntime", "bert", "int8-static", 13),
    ("onnxruntime", "bert", "int4-weight", 12),
    ("onnxruntime", "cnn", "int8-static", 10),
    ("onnxruntime", "rnn", "int8-dynamic", 3),
]


@pytest.mark.parametrize(("engine", "family", "precision", "layers"), FEW_BITS)
def test_few_bits_are_counted_where_they_are(
    engine: str, family: str, precision: str, layers: int
) -> None:
    made = converted(engine, family, precision)
    plain = converted(engine, family, "fp32")

    assert made.layers >= layers
    assert 0.1 < made.parameters_ratio <= 1.0
    assert made.weight_bytes is not None
    assert plain.weight_bytes is not None
    bits = 4 if precision == "int4-weight" and engine == "onnxruntime" else 8
    saved = made.parameters_ratio * (1 - bits / 32)
    expected = plain.weight_bytes * (1 - saved)
    assert made.weight_bytes < expected * 1.15 + 20_000
    assert 1e-6 < error(made, family) < BOUNDS[precision]
    low, products = re.findall(r"(\d+) of (\d+) layers of products", made.scheme)[0]
    assert int(low) >= 0.8 * int(products)
    assert precision.split("-", maxsplit=1)[0] in made.scheme


@pytest.mark.parametrize("family", ["bert", "cnn", "rnn"])
def test_bf16_is_read_back_from_the_compiled_graph(family: str) -> None:
    made = found("openvino", family, "bf16")
    if isinstance(made, Skip):
        assert not has_bf16()
        assert made.reason == openvino_runtime.BF16_IGNORED
        return
    assert bool(made.doubts) == (not has_bf16())
    assert made.layers > 0
    assert made.peak == "bf16"
    assert 1e-5 < error(made, family) < BOUNDS["bf16"]


@pytest.mark.parametrize(
    ("engine", "family", "precision", "why"),
    [
        ("onnxruntime", "rnn", "int8-static", "recurrent"),
        ("onnxruntime", "rnn", "int4-weight", "no layer"),
        ("onnxruntime", "cnn", "int4-weight", "no layer"),
        ("openvino", "rnn", "int8-weight", "recurrent"),
        ("openvino", "rnn", "int4-weight", "recurrent"),
        ("openvino", "cnn", "int4-weight", "no layer"),
        ("openvino", "cnn", "int8-weight", "only 1 of 10"),
        ("openvino", "rnn", "int8-static", "only 1 of 3"),
    ],
)
def test_what_would_convert_nothing_is_skipped(
    engine: str, family: str, precision: str, why: str
) -> None:
    made = found(engine, family, precision)
    assert isinstance(made, Skip)
    assert why in made.reason


@pytest.mark.parametrize("engine", CONVERT)
def test_nothing_to_calibrate_on_is_a_skip(engine: str) -> None:
    if any(find_spec(name) is None for name in PACKAGES[engine]):
        pytest.skip("not installed")
    context = Context("infer", "cnn", "cpu", example=inputs("cnn", 0))
    made = CONVERT[engine](model_of("cnn"), "int8-static", context)
    assert isinstance(made, Skip)
    assert "calibrate" in made.reason


@pytest.mark.parametrize("engine", CONVERT)
def test_a_portable_precision_keeps_what_it_says(engine: str) -> None:
    if any(find_spec(name) is None for name in PACKAGES[engine]):
        pytest.skip("not installed")
    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, CLASSES)).eval()
    expected = model(inputs("cnn", 0))

    made = CONVERT[engine](model, "prune-50", context_of("cnn", engine))

    assert isinstance(made, Converted)
    assert "50%" in made.scheme
    assert made.parameters_ratio == pytest.approx(0.5, abs=0.01)
    assert [doubt.code for doubt in made.doubts] == ["dense-kernels"]
    answer = made.model(inputs("cnn", 0))
    assert torch.allclose(answer, model(inputs("cnn", 0)), atol=1e-5)
    assert not torch.allclose(answer, expected, atol=1e-3)


@pytest.mark.parametrize(("engine", "precision"), [(e, "int8-static") for e in CONVERT])
def test_a_conversion_prints_nothing(
    engine: str, precision: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if any(find_spec(name) is None for name in PACKAGES[engine]):
        pytest.skip("not installed")
    context = context_of("cnn", engine)
    CONVERT[engine](model_of("cnn"), precision, context)
    assert capfd.readouterr() == ("", "")


NO_ENGINE = """
import sys
from workloads.runtimes import engines, onnx_runtime, openvino_runtime, tensorrt
names = {"onnx", "onnxscript", "onnxruntime", "openvino", "nncf", "torch_tensorrt"}
assert not names & set(sys.modules), names & set(sys.modules)
"""

AT_HOME = """
import torch
from workloads.conversion import Context
from workloads.runtimes import onnx_runtime, openvino_runtime
context = Context("infer", "cnn", "cpu", example=torch.zeros(1, 8),
    calibration=lambda: iter([torch.ones(1, 8)]))
model = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.Linear(64, 4)).eval()
for module in (onnx_runtime, openvino_runtime):
    print(module.convert(model, "int8-static", context).layers)
"""


def in_a_process(code: str, home: Path) -> str:
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    for name in ("CI", "TF_BUILD", "ORT_DISABLE_TELEMETRY"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout


def test_importing_the_run_times_imports_no_engine(tmp_path: Path) -> None:
    in_a_process(NO_ENGINE, tmp_path)


@pytest.mark.slow
def test_no_engine_reports_its_use(tmp_path: Path) -> None:
    if any(find_spec(n) is None for names in PACKAGES.values() for n in names):
        pytest.skip("not installed")
    assert in_a_process(AT_HOME, tmp_path).split() == ["2", "2"]
    identities = {p.name for p in tmp_path.rglob("*")}  # each telemetry makes one
    assert not identities & {"deviceid", "Microsoft", "intel", "openvino_telemetry"}


def test_products_that_openvino_fuses_on_one_thread_are_counted() -> None:
    pytest.importorskip("openvino")
    small = nn.Sequential(nn.Linear(8, 64), nn.Linear(64, 4)).eval()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        made = openvino_runtime.convert(
            small,
            "int8-static",
            Context(
                "infer",
                "cnn",
                "cpu",
                example=torch.zeros(1, 8),
                calibration=lambda: iter([torch.ones(1, 8)]),
            ),
        )
    finally:
        torch.set_num_threads(threads)
    assert isinstance(made, Converted)
    assert "2 of 2 layers of products" in made.scheme


def test_tensorrt_is_skipped_where_it_is_not_installed() -> None:
    if find_spec("torch_tensorrt") is not None:
        pytest.skip("it is installed")
    made = tensorrt.convert(model_of("cnn"), "fp16", context_of("cnn", "tensorrt"))
    assert isinstance(made, Skip)
    assert "torch_tensorrt" in made.reason


class TorchTensorRTModule(nn.Module):
    """Named like the class of an engine."""


def test_parts_that_torch_still_runs_are_counted() -> None:
    built = nn.Module()
    built.add_module("_run_on_acc_0", TorchTensorRTModule())
    built.add_module("_run_on_gpu_1", nn.Module())
    built.add_module("_run_on_acc_2", TorchTensorRTModule())
    assert tensorrt.parts(built) == (2, 1)


@pytest.mark.parametrize(
    ("flags", "machine", "expected"),
    [
        ("flags : avx2 avx512_vnni", "x86_64", False),
        ("flags : avx2", "x86_64", True),
        (None, "AMD64", True),
        ("Features : asimd", "aarch64", False),
    ],
)
def test_only_x86_without_vnni_overflows(
    tmp_path: Path, flags: str | None, machine: str, *, expected: bool
) -> None:
    path = tmp_path / "cpuinfo"
    if flags:
        path.write_text(flags + "\n")
    assert onnx_runtime.overflows(path, machine) == expected
