"""How much of a pretrained model learns: all of it, its head, or low-rank additions."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from harness.contracts import Skip
from harness.records import OptionValue
from workloads.conversion import quiet

RANK = 8
"""Of LoRA's additions, as in its paper's experiments (arXiv 2106.09685, table 6)."""
CHECKPOINTING = ("activation_checkpointing_enable", "gradient_checkpointing_enable")
"""What transformers calls it, newest name first."""
FROM_SCRATCH = (
    "it starts from scratch, where all of it must learn: give it pretrained weights"
)


def tuned(model: nn.Module, options: Mapping[str, OptionValue]) -> nn.Module | Skip:
    """The model with what may learn marked, and memory saved where that was asked."""
    how = str(options.get("tune", "all"))
    is_pretrained = bool(options.get("checkpoint")) or (
        options.get("pretrained", "no") != "no"
    )
    if how != "all" and not is_pretrained:
        return Skip(f"tune={how}: {FROM_SCRATCH}")
    made: nn.Module | Skip = model
    if how == "head":
        made = _head_only(model)
    elif how == "lora":
        made = _with_lora(model)
    if options.get("checkpointing") == "on" and isinstance(made, nn.Module):
        return _checkpointed(made)
    return made


def _head(model: nn.Module) -> tuple[str, nn.Linear]:
    """The layer that gives the logits: the last Linear one."""
    found = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    return found[-1]


def _head_only(model: nn.Module) -> nn.Module:
    model.requires_grad_(requires_grad=False)
    _head(model)[1].requires_grad_(requires_grad=True)
    return model


def _with_lora(model: nn.Module) -> nn.Module | Skip:
    """Low-rank additions to the queries and values, and a head that learns in full."""
    try:
        with quiet():
            from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        return Skip(f"tune=lora: {error}: pip install 'joulebench[lora]'")
    _, head = _head(model)
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=["query", "value"])
    model = inject_adapter_in_model(config, model)
    head.requires_grad_(requires_grad=True)
    return model


def _checkpointed(model: Any) -> nn.Module | Skip:
    """Activations computed again in the backward pass instead of being kept."""
    able = (getattr(m, n, None) for m in model.modules() for n in CHECKPOINTING)
    enable = next(filter(None, able), None)
    if enable is None:
        return Skip("checkpointing=on: this model has no part that can do it")
    enable({"use_reentrant": False})
    found: nn.Module = model
    return found
