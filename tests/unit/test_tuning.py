"""How much of a pretrained model learns, and what it costs in memory."""

import pytest
import torch
from torch import nn

from harness.contracts import Skip
from workloads.bert import BertClassifier
from workloads.tuning import tuned


def bert() -> nn.Module:
    return BertClassifier(2, 32, 2, 5)


def learning(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def made(**options: str) -> nn.Module:
    found = tuned(bert(), options)
    assert isinstance(found, nn.Module)
    return found


def test_all_of_it_learns_by_default() -> None:
    model = made()
    assert learning(model) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("how", ["head", "lora"])
def test_a_model_from_scratch_must_learn_as_a_whole(how: str) -> None:
    found = tuned(bert(), {"tune": how, "checkpoint": ""})
    assert isinstance(found, Skip)
    assert "pretrained" in found.reason


def test_only_the_head_learns() -> None:
    assert learning(made(tune="head", checkpoint="minilm-l6")) == 32 * 5 + 5


def test_lora_adds_low_ranks_to_queries_and_values() -> None:
    model = made(tune="lora", checkpoint="minilm-l6")
    added = 2 * 2 * 8 * (32 + 32)  # layers, queries and values, rank, in and out
    assert learning(model) == added + 32 * 5 + 5
    model(torch.randint(1, 4000, (2, 8))).sum().backward()
    grown = [n for n, p in model.named_parameters() if p.grad is not None]
    assert any("lora_B" in name for name in grown)


SMALL = {"vocab_size": 50, "max_position_embeddings": 16, "pad_token_id": 0}
SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
ENCODERS: dict[str, dict[str, int]] = {
    "roberta": SIZES | {"intermediate_size": 8},
    "mpnet": SIZES | {"intermediate_size": 8},
    "deberta-v2": SIZES | {"intermediate_size": 8},
    "distilbert": {"dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 8},
}


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("how", ["head", "lora"])
def test_whatever_is_new_in_an_encoder_learns(kind: str, how: str) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.for_model(kind, num_labels=3, **SMALL, **ENCODERS[kind])
    model: nn.Module = AutoModelForSequenceClassification.from_config(config)
    found = tuned(model, {"checkpoint": "hf:x", "tune": how})

    assert isinstance(found, nn.Module)
    learning = {n for n, p in found.named_parameters() if p.requires_grad}
    inside = {n for n in learning if n.startswith(f"{model.base_model_prefix}.")}
    around = [
        n
        for n, _ in found.named_parameters()
        if not n.startswith(f"{model.base_model_prefix}.")
    ]
    assert learning - inside == set(around)
    assert len(inside) == (8 if how == "lora" else 0)
    assert all("lora_" in name for name in inside)


def test_a_model_that_only_seems_to_save_memory_is_a_skip() -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.for_model("mpnet", **SMALL, **ENCODERS["mpnet"])
    model: nn.Module = AutoModelForSequenceClassification.from_config(config)

    found = tuned(model, {"checkpointing": "on"})
    assert isinstance(found, Skip)
    assert "does not support" in found.reason


def test_checkpointing_gives_the_same_gradients() -> None:
    torch.manual_seed(0)
    plain = bert().train()
    saving = bert().train()
    saving.load_state_dict(plain.state_dict())
    found = tuned(saving, {"checkpointing": "on"})
    assert isinstance(found, nn.Module)
    ids = torch.randint(1, 4000, (2, 8))
    for model in (plain, found):
        model(ids).sum().backward()
    pairs = zip(plain.parameters(), found.parameters(), strict=True)
    for a, b in pairs:
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None and b.grad is not None:
            assert torch.allclose(a.grad, b.grad)


def test_a_model_that_cannot_is_a_skip() -> None:
    found = tuned(nn.Linear(2, 2), {"checkpointing": "on"})
    assert isinstance(found, Skip)
