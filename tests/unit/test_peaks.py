"""Operations an item by hand, and peaks by the name of a GPU."""

import pytest
import torch
from torch import nn

from workloads.bert import BertClassifier
from workloads.peaks import flop_per_item, sheet_flops, timed_flops
from workloads.rnn import BiLstm


def test_a_linear_layer_takes_two_operations_a_weight() -> None:
    assert flop_per_item(nn.Linear(6, 4), torch.rand(3, 6)) == 2 * 6 * 4


def test_bert_takes_those_of_its_paper() -> None:
    width, length, layers = 32, 16, 2
    model = BertClassifier(layers, width, 2, 5).eval()
    found = flop_per_item(model, torch.randint(1, 4000, (2, length)))
    layer = 2 * 12 * width**2 * length + 4 * length**2 * width
    heads = 2 * width * width + 2 * width * 5
    assert found == layers * layer + heads


def test_an_lstm_is_counted_too() -> None:
    model = BiLstm(1, 8, 5)
    found = flop_per_item(model, torch.randint(1, 4000, (2, 10)))
    cells = 2 * 10 * 2 * 4 * 8 * (128 + 8)
    assert found == pytest.approx(cells + 2 * 16 * 5)


def test_a_model_stays_in_its_mode() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    assert flop_per_item(model, torch.rand(1, 2)) == 8
    assert model.training


@pytest.mark.parametrize(
    ("name", "precision", "peak"),
    [
        ("NVIDIA H200", "bf16", 989e12),
        ("NVIDIA H100 80GB HBM3", "fp16", 989e12),
        ("NVIDIA H100 PCIe", "fp32", 51e12),
        ("NVIDIA A100-SXM4-80GB", "tf32", 156e12),
        ("Tesla T4", "bf16", None),
        ("Some GPU of 2031", "bf16", None),
    ],
)
def test_peaks_of_data_sheets(name: str, precision: str, peak: float | None) -> None:
    found, source = sheet_flops(name, precision)
    assert found == peak
    assert (source is None) == (peak is None)


def test_a_processors_peak_is_timed() -> None:
    assert timed_flops(torch.float32) > 1e8
