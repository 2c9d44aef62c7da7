"""Plain scripts of each engine, as its manual shows them: the peers of ours."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Step = Callable[[], object]


def bert() -> Any:
    """Transformers' own BERT-base, with a vocabulary as large as ours."""
    from transformers.models.bert.configuration_bert import BertConfig
    from transformers.models.bert.modeling_bert import BertForSequenceClassification

    torch.manual_seed(0)
    return BertForSequenceClassification(BertConfig(vocab_size=4000, num_labels=5))


def resnet50() -> Any:
    """Transformers' own ResNet-50."""
    from transformers.models.resnet.configuration_resnet import ResNetConfig
    from transformers.models.resnet.modeling_resnet import (
        ResNetForImageClassification,
    )

    torch.manual_seed(0)
    return ResNetForImageClassification(ResNetConfig(num_labels=10))


class Logits(torch.nn.Module):
    """A transformers model that gives a tensor, which exporters ask for."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Logits [batch, classes]."""
        out: torch.Tensor = self.model(batch).logits
        return out


def _stepping(model: Any, batch: Any) -> Step:
    def step() -> object:
        with torch.inference_mode():
            return model(batch)

    return step


def _cast(batch: Any) -> Any:
    return batch.bfloat16() if batch.is_floating_point() else batch


def eager_fp32(model: Any, batch: Any) -> Step:
    """The model called."""
    return _stepping(Logits(model), batch)


def eager_bf16(model: Any, batch: Any) -> Step:
    """`model.to(torch.bfloat16)`."""
    return _stepping(Logits(model).bfloat16(), _cast(batch))


def compile_fp32(model: Any, batch: Any) -> Step:
    """`torch.compile` with frozen weights."""
    return _stepping(_compiled(Logits(model)), batch)


def compile_bf16(model: Any, batch: Any) -> Step:
    """The same in bf16."""
    return _stepping(_compiled(Logits(model).bfloat16()), _cast(batch))


def _compiled(model: Any) -> Any:
    import torch._inductor.config

    torch._inductor.config.freezing = True
    return torch.compile(model)


def compile_int8_static(model: Any, batch: Any) -> Step:
    """PT2E as in torchao's tutorial for x86."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    quantizer = x86.X86InductorQuantizer()
    quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
    exported = torch.export.export(Logits(model), (batch,)).module()
    prepared = prepare_pt2e(exported, quantizer)
    prepared(batch)
    return _stepping(_compiled(convert_pt2e(prepared)), batch)


def _openvino(model: Any, batch: Any, hint: str, *, quantise: bool = False) -> Step:
    import nncf
    import openvino

    graph = openvino.convert_model(
        Logits(model), example_input=batch, input=[tuple(batch.shape)]
    )
    if quantise:
        is_text = not batch.is_floating_point()
        graph = nncf.quantize(
            graph,
            nncf.Dataset([batch.numpy()]),
            model_type=nncf.ModelType.TRANSFORMER if is_text else None,
        )
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": hint,
    }
    options["INFERENCE_NUM_THREADS"] = torch.get_num_threads()
    compiled = openvino.Core().compile_model(graph, "CPU", options)
    request = compiled.create_infer_request()
    array = batch.numpy()
    return lambda: request.infer([array], share_inputs=True, share_outputs=True)


def openvino_fp32(model: Any, batch: Any) -> Step:
    """Converted and compiled for latency."""
    return _openvino(model, batch, "f32")


def openvino_bf16(model: Any, batch: Any) -> Step:
    """The same with bf16 products."""
    return _openvino(model, batch, "bf16")


def openvino_int8_static(model: Any, batch: Any) -> Step:
    """NNCF's post-training quantisation; the rest in bf16, as by default here."""
    return _openvino(model, batch, "bf16", quantise=True)


def _exported(model: Any, batch: Any, folder: str) -> Path:
    import onnx

    path = Path(folder) / "model.onnx"
    program = torch.onnx.export(Logits(model), (batch,), dynamo=True, verbose=False)
    assert program is not None
    proto = program.model_proto
    del proto.graph.value_info[:]  # shapes that the quantiser trips over
    onnx.save(proto, path)
    return path


def _session(path: Path, batch: Any) -> Step:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    feed = {session.get_inputs()[0].name: batch.numpy()}
    return lambda: session.run(None, feed)


def onnxruntime_fp32(model: Any, batch: Any) -> Step:
    """Exported and run."""
    with tempfile.TemporaryDirectory() as folder:
        return _session(_exported(model, batch, folder), batch)


def onnxruntime_int8_dynamic(model: Any, batch: Any) -> Step:
    """`quantize_dynamic` with signed weights, a scale a channel."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        path = _exported(model, batch, folder)
        target = path.with_name("int8.onnx")
        quantize_dynamic(path, target, weight_type=QuantType.QInt8, per_channel=True)
        return _session(target, batch)


def onnxruntime_int8_static(model: Any, batch: Any) -> Step:
    """`quantize_static` in QDQ form, calibrated on a batch."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """One batch, once."""

        def __init__(self, name: str) -> None:
            self._feeds = iter([{name: batch.numpy()}])

        def get_next(self) -> Any:
            """The next feed, or None."""
            return next(self._feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        import onnx

        path = _exported(model, batch, folder)
        target = path.with_name("int8.onnx")
        name = onnx.load(path).graph.input[0].name
        quantize_static(
            path,
            target,
            Reader(name),
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QInt8,
        )
        return _session(target, batch)
