"""What runs a model: torch itself, its compiler, or an engine; one module each.

Importing this imports neither torch nor any engine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from harness.contracts import Skip
from harness.records import Configuration
from workloads.conversion import (
    BOTH,
    EVERYWHERE,
    INFER,
    PRECISIONS,
    Context,
    Converted,
    Refuse,
    welcome,
)
from workloads.precisions import integers, static_int8

EngineConvert = Callable[[Any, str, Context], "Converted | Skip"]


@dataclass(frozen=True)
class Runtime:
    """What runs a model.

    Attributes:
        load: `module:function` that takes an fp32 model [in evaluation for `infer`], the
            name of a precision and a context.
        packages: Modules it needs.
        extra: The extra of this distribution that installs them.
        precisions: Those it has a way of its own for; a portable precision runs on
            every run time. None means that it runs what torch runs.
        refuse: Why it cannot run a configuration, known without importing it.
    """

    name: str
    about: str
    load: str
    phases: tuple[str, ...] = BOTH
    devices: tuple[str, ...] = EVERYWHERE
    packages: tuple[str, ...] = ()
    extra: str = ""
    precisions: tuple[str, ...] | None = None
    refuse: Refuse = welcome

    def convert(self, model: Any, precision: str, context: Context) -> Converted | Skip:
        """Bring an fp32 model into a precision and make it ready to run."""
        module, _, name = self.load.partition(":")
        function: EngineConvert = getattr(import_module(module), name)
        return function(model, precision, context)


def _no_compiled(configuration: Configuration) -> str | None:
    uncompiled = {
        ("rnn", "int8-dynamic"): integers.LEGACY_UNCOMPILED,
        (configuration.workload, "int8-qat"): static_int8.QAT_UNCOMPILED,
    }
    return uncompiled.get((configuration.workload, configuration.precision))


RUNTIMES: Mapping[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        Runtime("eager", "torch, operation by operation", "workloads.runtimes.eager:convert"),
        Runtime(
            "compile",
            "torch.compile (inductor), weights frozen in inference",
            "workloads.runtimes.compiled:convert",
            refuse=_no_compiled,
        ),
        Runtime(
            "onnxruntime",
            "ONNX Runtime; int8 by its own quantisation (QDQ)",
            "workloads.runtimes.onnx_runtime:convert",
            phases=INFER,
            devices=("cpu",),
            packages=("onnxruntime", "onnx", "onnxscript"),
            extra="onnxruntime",
            precisions=("fp32", "int8-dynamic", "int8-static", "int4-weight"),
        ),
        Runtime(
            "openvino",
            "OpenVINO; int8 and int4 by NNCF",
            "workloads.runtimes.openvino_runtime:convert",
            phases=INFER,
            devices=("cpu",),
            packages=("openvino", "nncf"),
            extra="openvino",
            precisions=("fp32", "bf16", "int8-static", "int8-weight", "int4-weight"),
        ),
        Runtime(
            "tensorrt",
            "TensorRT through torch_tensorrt",
            "workloads.runtimes.tensorrt:convert",
            phases=INFER,
            devices=("cuda",),
            packages=("torch_tensorrt",),
            extra="tensorrt",
            precisions=("fp32", "tf32", "fp16", "bf16"),
        ),
    )
}


def unsupported(configuration: Configuration) -> str | None:
    """Why a configuration cannot run here as far as that is known without torch."""
    precision = PRECISIONS[configuration.precision]
    runtime = RUNTIMES[configuration.runtime]
    for found in (precision, runtime):
        if configuration.phase not in found.phases:
            return f"{found.name} is for {' and '.join(found.phases)} only"
    own = runtime.precisions
    if own is not None and precision.name not in own and not precision.portable:
        return f"{runtime.name} has no {precision.name} here"
    by_torch = own is None or precision.name not in own
    if by_torch and (reason := precision.refuse(configuration)):
        return reason
    for found in (precision, runtime):
        if configuration.device not in found.devices:
            return f"{found.name} needs the device {' or '.join(found.devices)}"
    if precision.track == "open" and configuration.track != "open":
        return (
            f"the weights of {precision.name} are not the reference's: give it "
            "`track: open` in matrix.include"
        )
    for found in (precision, runtime):
        if missing := [name for name in found.packages if find_spec(name) is None]:
            cure = f"pip install 'joulebench[{found.extra}]'"
            return f"{', '.join(missing)} is not installed: {cure}"
    return runtime.refuse(configuration)
