import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from harness.contracts import Card, Setting, Skip
from harness.records import Configuration, OptionValue, Phase
from harness.registry import load
from workloads import cnn_models, rnn
from workloads.cards import CARDS
from workloads.classification import Classification, Options, Recipe
from workloads.datasets import Split
from workloads.inference import Inference
from workloads.sources import cache_dir
from workloads.training import Training, schedule
from workloads.weights import weights_path

CARD = CARDS["cnn"]


def fake_data(_: Options, __: Path) -> Split:
    generator = np.random.default_rng(0)
    labels = np.array([0, 0, 1] * 16)
    points = (labels[:, None] * 2 - 1 + generator.normal(size=(48, 6)) / 4).astype("f4")
    return Split(points[:38], labels[:38], points[38:], labels[38:])


def fake_model(_: Options, classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, classes)
    )


def workload() -> Classification:
    return Classification(Recipe(CARD, fake_data, fake_model, fake_model))


def setting(
    cache: Path, phase: str, precision: str = "fp32", batch: int = 4, seed: int = 1
) -> Setting:
    configuration = Configuration(
        workload="cnn",
        phase=Phase(phase),
        precision=precision,
        device="cpu",
        batch_size=batch,
        options={"epochs": 3, "learning_rate": 0.05},
    )
    return Setting(configuration=configuration, device="cpu", seed=seed, cache=cache)


def ready(found: Classification, place: Setting) -> Skip | None:
    return found.prepare(place) or found.convert()


def trained(cache: Path, warm: int, seed: int = 1) -> list[torch.Tensor]:
    found = workload()
    assert ready(found, setting(cache, "train", seed=seed)) is None
    for _ in range(warm):
        found.warm()
    total = found.total_steps()
    assert total == 27
    assert sum(found.step() for _ in range(total)) == 108
    assert isinstance(found._loop, Training)
    return list(found._loop.model.state_dict().values())


def test_warming_leaves_no_trace_in_training(tmp_path: Path) -> None:
    cold, warm = trained(tmp_path, 0), trained(tmp_path, 5)
    assert all(torch.equal(a, b) for a, b in zip(cold, warm, strict=True))


def test_a_training_stops_at_its_target(tmp_path: Path) -> None:
    found = workload()
    place = setting(tmp_path, "train")
    options = place.configuration.options | {"target": 0.7}
    asked = place.configuration.model_copy(update={"options": options})
    ready(found, replace(place, configuration=asked))
    steps = 0
    while True:
        found.step()
        steps += 1
        if found.exam_due() and found.examine():
            break
    assert steps < (found.total_steps() or 0)
    quality, _ = found.evaluate()
    assert quality.target == 0.7
    assert (quality.accuracy or 0.0) >= 0.7


def test_fixed_work_is_never_examined(tmp_path: Path) -> None:
    found = workload()
    ready(found, setting(tmp_path, "train"))
    found.step()
    assert not found.exam_due()


def test_f1_and_recall_stand_beside_accuracy(tmp_path: Path) -> None:
    found = workload()
    ready(found, setting(tmp_path, "infer"))
    quality, arrays = found.evaluate()
    assert quality.recall == pytest.approx(
        np.mean(
            [
                arrays["correct"][fake_data({}, tmp_path).y_test == k].mean()
                for k in (0, 1)
            ]
        )
    )
    assert quality.f1 is not None


@pytest.mark.parametrize(("tune", "factor"), [("all", 3), ("head", 1)])
def test_the_effort_is_that_of_the_products(
    tmp_path: Path, tune: str, factor: int
) -> None:
    found, place = workload(), setting(tmp_path, "train")
    options = {"tune": tune, "pretrained": "imagenet", **place.configuration.options}
    asked = place.configuration.model_copy(update={"options": options})
    ready(found, replace(place, configuration=asked))
    effort = found.effort()
    assert effort.flop_per_item == factor * 2 * (6 * 8 + 8 * 2)
    assert effort.peak_flop_per_s is not None
    assert effort.source is not None


def test_the_seed_decides(tmp_path: Path) -> None:
    first, second = trained(tmp_path, 0), trained(tmp_path, 0, seed=2)
    assert not torch.equal(first[0], second[0])


def test_training_is_scored_on_held_out_items(tmp_path: Path) -> None:
    found = workload()
    ready(found, setting(tmp_path, "train"))
    for _ in range(found.total_steps() or 0):
        found.step()
    quality, arrays = found.evaluate()
    assert quality.n == len(arrays["correct"]) == len(arrays["answer"]) == 10
    assert arrays["item"].tolist() == list(range(10))
    assert ((arrays["answer"] == arrays["truth"]) == arrays["correct"]).all()
    assert quality.constant_baseline == pytest.approx(0.6)
    assert quality.accuracy is not None
    assert quality.accuracy > 0.9
    assert quality.skill == pytest.approx((quality.accuracy - 0.6) / 0.4)
    assert not quality.in_window
    assert found.facts().weights_sha256 is None


def test_inference_uses_one_set_of_weights(tmp_path: Path) -> None:
    digests = set()
    for precision, batch in (("fp32", 4), ("bf16", 8)):
        found = workload()
        place = setting(tmp_path, "infer", precision, batch)
        ready(found, place)
        assert found.total_steps() is None
        digests.add(found.facts().weights_sha256)
        assert weights_path(CARD, place.configuration, tmp_path).exists()
    assert len(digests) == 1
    assert len(list((tmp_path / "weights").glob("*.safetensors"))) == 1
    assert not list((tmp_path / "weights").glob("*.partial"))


@pytest.mark.parametrize(("steps", "inside"), [(1, False), (3, True), (7, True)])
def test_answers_of_the_window_are_what_is_scored(
    tmp_path: Path, steps: int, *, inside: bool
) -> None:
    found = workload()
    ready(found, setting(tmp_path, "infer"))
    found.warm()
    assert [found.step() for _ in range(steps)] == [4] * steps
    quality, arrays = found.evaluate()
    assert quality.in_window == inside
    assert arrays["answer"].min() >= 0
    full = workload()
    ready(full, setting(tmp_path, "infer", batch=10))
    full.step()
    assert full.evaluate()[1]["answer"].tolist() == arrays["answer"].tolist()


def test_a_batch_larger_than_the_test_set(tmp_path: Path) -> None:
    found = workload()
    ready(found, setting(tmp_path, "infer", batch=32))
    assert found.step() == 32
    quality, _ = found.evaluate()
    assert quality.in_window
    assert quality.n == 10


def test_a_batch_larger_than_the_training_set(tmp_path: Path) -> None:
    found = workload()
    ready(found, setting(tmp_path, "train", batch=64))
    assert found.step() == 38
    assert "small-data" in {doubt.code for doubt in found.doubts()}
    ready(found, setting(tmp_path, "train", batch=32))
    assert "small-data" not in {doubt.code for doubt in found.doubts()}


def test_calibration_sees_a_whole_batch_of_any_size(tmp_path: Path) -> None:
    found = workload()
    ready(found, setting(tmp_path, "infer"))
    for size, batches in ((16, 2), (38, 1), (100, 1)):
        made = list(found._school.batches(size))
        assert [len(batch) for batch in made] == [size] * batches


def test_a_precision_that_cannot_is_a_skip(tmp_path: Path) -> None:
    skip = workload().prepare(setting(tmp_path, "infer", "int8-dynamic"))
    assert skip is not None
    assert "head" in skip.reason


def test_options_name_other_weights(tmp_path: Path) -> None:
    place = setting(tmp_path, "infer").configuration
    other = place.model_copy(update={"options": {"epochs": 4}})
    assert weights_path(CARD, place, tmp_path) != weights_path(CARD, other, tmp_path)


def test_the_rate_rises_and_falls() -> None:
    rates = [schedule(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == 1.0
    assert rates[-1] < 0.02
    assert schedule(0, 1) == 1.0


@pytest.mark.parametrize(
    ("model", "x"),
    [
        (
            lambda: cnn_models.ResNet(2, (1, 1), 3, bottleneck=False),
            torch.rand(2, 1, 8, 8),
        ),
        (
            lambda: cnn_models.ResNet(4, (1, 1), 3, bottleneck=True),
            torch.rand(2, 1, 8, 8),
        ),
    ],
)
def test_networks_map_images_to_logits(
    model: Callable[[], nn.Module], x: torch.Tensor
) -> None:
    assert model()(x).shape == (2, 3)


def test_the_lstm_ignores_padding_in_its_maximum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rnn, "VOCABULARY", 10)
    monkeypatch.setattr(rnn, "EMBEDDING", 4)
    model = rnn.BiLstm(1, 4, 3)
    assert model(torch.tensor([[2, 5, 3, 0, 0]])).shape == (1, 3)
    assert sum(p.numel() for p in model.parameters()) < 10_000


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("card", CARDS.values(), ids=list(CARDS))
def test_a_tiny_model_reaches_its_floor(card: Card) -> None:
    options: dict[str, OptionValue] = {}
    configuration = Configuration(
        workload=card.name,
        phase=Phase.TRAIN,
        precision="fp32",
        device="cpu",
        batch_size=32,
        options=options,
    )
    found = load(card.load)()
    ready(found, Setting(configuration, "cpu", seed=3, cache=cache_dir()))
    started_s = time.monotonic()
    for _ in range(found.total_steps()):
        found.step()
    print(f"{card.name}: {time.monotonic() - started_s:.1f} s")  # noqa: T201
    quality, _ = found.evaluate()
    assert quality.accuracy > card.floor


def counting(sizes: list[int]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Answers each item [x] with the class x; notes the sizes of its batches."""

    def model(batch: torch.Tensor) -> torch.Tensor:
        sizes.append(len(batch))
        return torch.nn.functional.one_hot(batch[:, 0].long(), 10).float()

    return model


@pytest.mark.parametrize(
    ("whole", "expected"), [(False, [3, 4, 1, 4]), (True, [4, 4, 4, 4])]
)
def test_a_few_items_are_answered_in_turn_and_round_again(
    whole: bool,  # noqa: FBT001 (a case)
    expected: list[int],
) -> None:
    sizes: list[int] = []
    loop = Inference(counting(sizes), torch.arange(10.0)[:, None], batch_size=4)

    for items in (3, 4, 1, 4):
        loop.answer(items, whole=whole)

    assert sizes == expected
    assert loop.answers[:10].tolist() == list(range(10))
    assert loop.finish()
    assert sizes == expected


def test_what_the_window_answered_is_not_answered_again() -> None:
    loop = Inference(counting([]), torch.arange(10.0)[:, None], batch_size=4)
    loop.answer(4, whole=False)
    loop.forget()
    loop.answer(3, whole=False)
    loop.answers[0] = 9  # an answer that only the window could give

    assert not loop.finish()
    assert loop.answers[:10].tolist() == [9, *range(1, 10)]


def test_queries_are_answered_from_the_held_out_items(tmp_path: Path) -> None:
    found = workload()
    assert ready(found, setting(tmp_path, "infer")) is None

    for _ in range(5):
        found.answer(2)

    quality, arrays = found.evaluate()
    assert quality.in_window
    assert arrays["answer"].shape == (10,)
    found.forget()
    assert not found.evaluate()[0].in_window


def test_a_precision_for_one_size_is_filled_up_and_says_so(tmp_path: Path) -> None:
    found = workload()
    place = setting(tmp_path, "infer")
    served = place.configuration.model_copy(update={"scenario": "server"})
    assert ready(found, replace(place, configuration=served)) is None
    found._converted = replace(found._converted, any_batch=False)

    found.answer(1)

    assert "padded" in {doubt.code for doubt in found.doubts()}
