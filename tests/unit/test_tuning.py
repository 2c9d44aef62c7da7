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
