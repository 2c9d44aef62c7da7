"""Weights set to zero, or taken out: what sparsity saves, and what it does not."""

from copy import deepcopy
from typing import Any

from harness.contracts import Skip
from harness.records import Configuration, Doubt
from workloads.conversion import (
    INFER,
    Context,
    Converted,
    layers_of,
    parameter_count,
    precision,
    quiet,
)

EPOCHS = 1
LSTM_WHOLE = "torch-pruning does not take an LSTM apart; `distilled` halves its width"
DENSE = Doubt(
    code="dense-kernels",
    message="dense kernels multiply the zeros like any other weight: nothing is saved",
    remedy="an engine with sparse kernels, or structured pruning (channels-50)",
)


@precision(
    "prune-50",
    "half of the weights of each layer set to zero, the smallest ones; dense kernels",
    phases=INFER,
    portable=True,
)
def prune_50(model: Any, context: Context) -> Converted | Skip:
    """Unstructured magnitude pruning without any training after it."""
    return _pruned(model, context, 0.5)


@precision(
    "prune-90",
    "nine tenths of the weights of each layer set to zero; dense kernels",
    phases=INFER,
    portable=True,
)
def prune_90(model: Any, context: Context) -> Converted | Skip:
    """Unstructured magnitude pruning without any training after it."""
    return _pruned(model, context, 0.9)


def _pruned(model: Any, context: Context, share: float) -> Converted:
    del context
    layers = layers_of(model)
    zeros = sum(
        _zero_smallest(parameter, share)
        for layer in layers.values()
        for name, parameter in layer.named_parameters()
        if name.startswith("weight")
    )
    return Converted(
        model,
        parameters_ratio=zeros / parameter_count([model]),
        layers=len(layers),
        scheme=f"{share:.0%} of each layer's weights are 0 (magnitude), dense kernels",
        doubts=(DENSE,),
    )


def _zero_smallest(weight: Any, share: float) -> int:
    """Set that share of a tensor to zero, the smallest magnitudes; how many."""
    import torch

    count = int(weight.numel() * share)
    if count:
        sizes = weight.detach().abs().flatten()
        smallest = torch.topk(sizes, count, largest=False).indices
        mask = torch.ones_like(sizes).index_fill(0, smallest, 0.0)
        weight.detach().mul_(mask.view(weight.shape))
    return count


def _no_channels(configuration: Configuration) -> str | None:
    return LSTM_WHOLE if configuration.workload == "rnn" else None


@precision(
    "prune-2:4",
    "two of four weights of Linear layers set to zero, sparse tensor cores (fp16)",
    phases=INFER,
    devices=("cuda",),
)
def prune_2_4(model: Any, context: Context) -> Converted | Skip:
    """Semi-structured sparsity; torch's compressed format and its kernels."""
    import torch
    from torch import nn

    if torch.cuda.get_device_capability() < (8, 0):
        return Skip("2:4 sparsity needs compute capability 8.0 or more (Ampere)")
    del context
    model = model.half()
    done = 0
    layers = [m for m in model.modules() if isinstance(m, nn.Linear) and _fits_2_4(m)]
    for layer in layers:
        weight = keep_2_of_4(layer.weight.detach())
        done += weight.numel()
        sparse = torch.sparse.to_sparse_semi_structured(weight)
        layer.weight = nn.Parameter(sparse, requires_grad=False)
    if not layers:
        return Skip("no Linear layer of this model has sizes that 2:4 kernels take")
    return Converted(
        model,
        parameters_ratio=done / (done + parameter_count([model])),
        layers=len(layers),
        scheme="2 of 4 weights of Linear are 0, semi-structured sparse kernels, fp16",
        input_dtype=torch.float16,
        peak="fp16",
    )


@precision(
    "channels-50",
    "half of the channels and of the feed-forward neurons taken out, the least ones, "
    "then trained again (torch-pruning)",
    phases=INFER,
    track="open",
    refuse=_no_channels,
    portable=True,
    packages=("torch_pruning",),
    extra="prune",
)
def channels_50(model: Any, context: Context) -> Converted | Skip:
    """Structured pruning by magnitude; the whole model is its teacher afterwards."""
    import torch_pruning

    if context.coach is None:
        return Skip("there are no data to train the pruned model on")
    before = parameter_count([model])
    teacher = deepcopy(model)
    model.requires_grad_(requires_grad=True)  # its dependencies are traced by gradients
    with quiet():
        torch_pruning.pruner.BasePruner(
            model,
            context.example[:2],
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            pruning_ratio=0.5,
            ignored_layers=_kept_whole(model),
        ).step()
    after = parameter_count([model])
    if after == before:
        return Skip("torch-pruning took nothing out of this model")
    model = context.coach.taught(model, epochs=EPOCHS, teacher=teacher)
    return Converted(
        model,
        parameters_ratio=1 - after / before,
        layers=len(layers_of(model)),
        scheme=f"{after / before:.0%} of the parameters are left, {EPOCHS} epoch after",
    )


def _kept_whole(model: Any) -> list[Any]:
    """Linear layers whose outputs others add up: all but those that widen."""
    from torch import nn

    linears = [m for m in model.modules() if isinstance(m, nn.Linear)]
    return [m for m in linears if m.out_features <= m.in_features]


def _fits_2_4(layer: Any) -> bool:
    return layer.in_features % 64 == 0 and layer.out_features % 64 == 0


def keep_2_of_4(weight: Any) -> Any:
    """Of each four neighbours in a row of [out, in] the two largest, the rest 0."""
    import torch

    fours = weight.reshape(-1, 4)
    largest = torch.topk(fours.abs(), 2, dim=1).indices
    mask = torch.zeros_like(fours).scatter_(1, largest, 1.0)
    return (fours * mask).reshape(weight.shape)
