"""What runs a model: torch itself, its compiler, or an engine; one module each.

Importing this imports neither torch nor any engine.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from harness.contracts import Refusal, Skip
from harness.records import Configuration
from workloads.conversion import (
    BOTH,
    EVERYWHERE,
    INFER,
    PRECISIONS,
    Context,
    Converted,
    Precision,
    welcome,
)
from workloads.precisions import integers, static_int8

EngineConvert = Callable[[Any, str, Context], "Converted | Skip"]


@dataclass(frozen=True)
class Runtime:
    """What runs a model.

    Attributes:
        load: `module:function` that takes an fp32 model (in evaluation for `infer`),
            the name of a precision and a context.
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
    refuse: Refusal = welcome

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
        Runtime(
            "eager",
            "torch, one operation at a time",
            "workloads.runtimes.eager:convert",
        ),
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
    return next(filter(None, _reasons(configuration)), None)


def _reasons(configuration: Configuration) -> Iterator[str | None]:
    """What each part says about it, the most telling first."""
    precision = PRECISIONS[configuration.precision]
    runtime = RUNTIMES[configuration.runtime]
    both = (precision, runtime)
    yield from (_wrong_phase(found, configuration.phase) for found in both)
    is_own = runtime.precisions is not None and precision.name in runtime.precisions
    if runtime.precisions is not None and not is_own and not precision.portable:
        known = ", ".join(runtime.precisions)
        yield f"no way to {precision.name} on {runtime.name} is known; it takes {known}"
    if not is_own:  # torch converts it
        yield precision.refuse(configuration)
    yield from (_wrong_device(found, configuration.device) for found in both)
    if precision.track == "open" and configuration.track != "open":
        yield (
            f"the weights of {precision.name} are not the reference's: give it "
            "`track: open` in matrix.include"
        )
    yield from (_missing(found) for found in both)
    yield runtime.refuse(configuration)


def _wrong_phase(found: Precision | Runtime, phase: str) -> str | None:
    known = found.phases
    return None if phase in known else f"{found.name} is for {' and '.join(known)} only"


def _wrong_device(found: Precision | Runtime, device: str) -> str | None:
    known = found.devices
    return (
        None
        if device in known
        else (f"{found.name} needs the device {' or '.join(known)}")
    )


def _missing(found: Precision | Runtime) -> str | None:
    """Packages that are not installed, with the cure."""
    missing = [name for name in found.packages if find_spec(name) is None]
    cure = f"pip install 'joulebench[{found.extra}]'"
    return f"{', '.join(missing)} is not installed: {cure}" if missing else None
