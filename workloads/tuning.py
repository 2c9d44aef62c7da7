"""How much of a pretrained model learns: all of it, its head, or low-rank additions."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from harness.contracts import Skip
from harness.records import OptionValue
from workloads.cards import from_scratch
from workloads.conversion import quiet

RANK = 8
"""Of LoRA's additions, as in its paper's experiments (arXiv 2106.09685, table 6)."""
ATTENTION = (
    ("query", "value"),
    ("query_proj", "value_proj"),
    ("q_proj", "v_proj"),
    ("q_lin", "v_lin"),
    ("q", "v"),
    ("Wqkv",),
    ("in_proj",),
)
"""What encoders call their layers of queries and values, or of both in one."""
CHECKPOINTING = ("activation_checkpointing_enable", "gradient_checkpointing_enable")
"""What transformers calls it, newest name first."""


def tuned(model: nn.Module, options: Mapping[str, OptionValue]) -> nn.Module | Skip:
    """The model with what may learn marked, and memory saved where that was asked."""
    how = str(options.get("tune", "all"))
    if reason := from_scratch(options):
        return Skip(reason)
    made: nn.Module | Skip = model
    if how == "head":
        made = _head_only(model)
    elif how == "lora":
        made = _with_lora(model)
    if options.get("checkpointing") == "on" and isinstance(made, nn.Module):
        return _checkpointed(made)
    return made


def _head(model: nn.Module) -> Sequence[nn.Module]:
    """What transformers puts around an encoder, else the last Linear layer."""
    for part in model.modules():
        encoder = getattr(part, getattr(part, "base_model_prefix", "") or " ", None)
        if encoder is not None:
            return [child for child in part.children() if child is not encoder]
    return [m for m in model.modules() if isinstance(m, nn.Linear)][-1:]


def _learning_head(model: nn.Module) -> nn.Module:
    """The model with its head learning, all of which is new."""
    for layer in _head(model):
        layer.requires_grad_(requires_grad=True)
    return model


def _head_only(model: nn.Module) -> nn.Module:
    return _learning_head(model.requires_grad_(requires_grad=False))


def _with_lora(model: nn.Module) -> nn.Module | Skip:
    """Low-rank additions to the queries and values, and a head that learns in full."""
    try:
        with quiet():
            from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        return Skip(f"tune=lora: {error}: pip install 'joulebench[lora]'")
    linear = (n for n, m in model.named_modules() if isinstance(m, nn.Linear))
    layers = {name.rpartition(".")[2] for name in linear}
    targets = next((names for names in ATTENTION if layers.issuperset(names)), None)
    if targets is None:
        return Skip("tune=lora: this model has no layers of queries and values")
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=list(targets))
    return _learning_head(inject_adapter_in_model(config, model))


def _checkpointed(model: Any) -> nn.Module | Skip:
    """Activations computed again in the backward pass instead of being kept."""
    able = (getattr(m, n, None) for m in model.modules() for n in CHECKPOINTING)
    enable = next(filter(None, able), None)
    if enable is None:
        return Skip("checkpointing=on: this model has no part that can do it")
    try:
        enable({"use_reentrant": False})
    except ValueError as error:  # it has the method and cannot do it
        return Skip(f"checkpointing=on: {error}")
    found: nn.Module = model
    return found
