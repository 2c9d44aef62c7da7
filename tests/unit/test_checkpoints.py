import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.contracts import Setting
from harness.errors import BenchError
from harness.records import Configuration, Phase
from harness.registry import load
from workloads import bert, checkpoints
from workloads.cards import CARDS
from workloads.sources import cache_dir
from workloads.weights import weights_path

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "blue", "shirt", "red", "dress"]


def save(folder: Path, kind: str = "bert", layers: int = 2) -> Path:
    """A tiny encoder as save_pretrained writes it, with a tokenizer of nine words."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    sizes: dict[str, Any] = {"num_hidden_layers": layers, "num_attention_heads": 2}
    sizes |= {"hidden_size": 8, "intermediate_size": 8, "vocab_size": len(WORDS)}
    config = AutoConfig.for_model(
        kind, max_position_embeddings=16, pad_token_id=0, **sizes
    )
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    words = BertWordPieceTokenizer({word: i for i, word in enumerate(WORDS)})
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    made = PreTrainedTokenizerFast(tokenizer_object=words._tokenizer, **marks)
    made.save_pretrained(folder)
    return folder


def fault(name: str) -> str:
    with pytest.raises(BenchError) as caught:
        checkpoints.find(name)
    assert caught.value.hint
    return f"{caught.value.message} | {caught.value.hint}"


def edit(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("kind", ["bert", "electra", "roberta"])
def test_a_folder_becomes_a_classifier_with_its_own_words(
    tmp_path: Path, kind: str
) -> None:
    found = checkpoints.find(f"hf:{save(tmp_path, kind)}")
    ids = checkpoints.tokenizer(found, 6).make([])(["red shirt", "blue"])
    model = bert.Pretrained(found, 3, 1.0).eval()

    assert ids.tolist()[1][-1] == 0
    assert ids.dtype == np.int64
    logits = model(torch.from_numpy(ids))
    assert logits.shape == (2, 3)
    longer = np.pad(ids, ((0, 0), (0, 3)))
    assert torch.allclose(model(torch.from_numpy(longer)), logits, atol=1e-5)


def test_the_weights_are_the_checkpoints(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    name = f"hf:{save(tmp_path)}"
    found = checkpoints.find(name)
    saved = load_file(tmp_path / "model.safetensors")
    state = bert.Pretrained(found, 2, 1.0).state_dict()

    key = "encoder.layer.1.attention.self.query.weight"
    (own,) = [t for n, t in state.items() if n.endswith(key)]
    assert torch.equal(own, next(t for n, t in saved.items() if n.endswith(key)))
    half = bert.student({"checkpoint": name}, 2)
    assert not [n for n in half.state_dict() if "layer.1." in n]
    assert len([n for n in half.state_dict() if "layer.0." in n]) > 0


def test_content_names_the_weights_and_not_the_place(tmp_path: Path) -> None:
    def path_for(folder: Path) -> Path:
        configuration = Configuration(
            workload="bert",
            phase=Phase.INFER,
            precision="fp32",
            device="cpu",
            batch_size=4,
            options={"checkpoint": f"hf:{folder}"},
        )
        return weights_path(CARDS["bert"], configuration, tmp_path)

    one, two = save(tmp_path / "one"), save(tmp_path / "two")
    assert path_for(one) == path_for(two)
    (two / "notes.md").write_text("not a part of it")
    assert path_for(one) == path_for(two)
    edit(two, layer_norm_eps=1e-6)
    assert path_for(one) != path_for(two)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("minilm", "(did you mean 'minilm-l6'?)"),
        ("hf:", "is not known"),
        ("hf:/nowhere/at/all", "no such file or folder"),
        ("hf:../../etc/a b", "no such file or folder"),
        ("hf:a/b/c", "no name on the hub"),
        ("hf:a b", "no name on the hub"),
        ("hf:a--b", "no name on the hub"),
    ],
)
def test_a_name_that_means_nothing(name: str, words: str) -> None:
    assert words in fault(name)


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def own_code(folder: Path) -> None:
    edit(folder, model_type="mine", auto_map={"AutoModel": "mine.Model"})


def a_decoder(folder: Path) -> None:
    edit(folder, model_type="gpt2")


def an_adapter(folder: Path) -> None:
    text = json.dumps({"base_model_name_or_path": "/another/model"})
    (folder / "adapter_config.json").write_text(text)


def quantised(folder: Path) -> None:
    edit(folder, quantization_config={"quant_method": "gptq", "bits": 4})


def led_to_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    (folder / "evil.bin").write_bytes(b"\x80\x04pickle")
    index = {"weight_map": {"embeddings.word_embeddings.weight": "evil.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def sized_by_a_word(folder: Path) -> None:
    edit(folder, vocab_size="many")


def long_by_a_word(folder: Path) -> None:
    edit(folder, max_position_embeddings="many")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (no_config, "config.json cannot be read"),
        (no_weights, "no *.safetensors"),
        (own_code, "needs code of its own, which is never run"),
        (a_decoder, "'gpt2' is no sequence encoder"),
        (an_adapter, "an adapter, whose weights are elsewhere"),
        (quantised, "its config.json has quantization_config"),
        (led_to_a_pickle, "names files that are no *.safetensors here"),
        (sized_by_a_word, "vocab_size in its config.json is 'many'"),
        (long_by_a_word, "max_position_embeddings in its config.json is 'many'"),
    ],
)
def test_a_checkpoint_that_cannot_be_used(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(save(tmp_path))

    assert words in fault(f"hf:{tmp_path}")


def test_spoilt_weights_are_an_error_with_a_cure(tmp_path: Path) -> None:
    (save(tmp_path) / "model.safetensors").write_bytes(b"\x80\x04pickle")

    with pytest.raises(BenchError, match="weights cannot be loaded"):
        checkpoints.model(checkpoints.find(f"hf:{tmp_path}"), 2)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model_type": "distilbert"}, "weights do not fit its config.json"),
        ({"num_hidden_layers": 3}, "such as bert.encoder.layer.2."),
        ({"hidden_size": 16}, "missing or of another shape"),
        ({"num_hidden_layers": "two"}, "weights cannot be loaded"),
        ({"_attn_implementation": "flash_attention_2"}, "weights cannot be loaded"),
    ],
)
def test_no_weight_of_an_encoder_is_made_up(
    tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    edit(save(tmp_path), **fields)

    with pytest.raises(BenchError) as caught:
        checkpoints.model(checkpoints.find(f"hf:{tmp_path}"), 2)
    assert words in caught.value.told()


def test_a_tokenizer_is_not_made_up(tmp_path: Path) -> None:
    save(tmp_path)
    for path in tmp_path.glob("*token*"):
        path.unlink()
    found = checkpoints.find(f"hf:{tmp_path}")

    with pytest.raises(BenchError, match="no tokenizer in it"):
        checkpoints.tokenizer(found, 6).make([])


def test_a_tokenizer_of_another_model_is_told(tmp_path: Path) -> None:
    edit(save(tmp_path), vocab_size=6)
    encode = checkpoints.tokenizer(checkpoints.find(f"hf:{tmp_path}"), 6).make([])

    assert encode(["blue"]).max() == 5
    with pytest.raises(BenchError, match="gives the id 8, but its weights know 6"):
        encode(["red dress"])


def test_texts_longer_than_it_takes_are_refused(tmp_path: Path) -> None:
    found = checkpoints.find(f"hf:{save(tmp_path)}")

    with pytest.raises(BenchError, match="takes 16 tokens at most"):
        checkpoints.tokenizer(found, 17)


def test_no_network_is_said_with_a_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def offline(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("no route to the hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)

    assert "could not be downloaded: no route to the hub" in fault("hf:owner/name")
    assert "hf:/FOLDER" in fault("hf:owner/name@main")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("default")
def test_a_pretrained_encoder_learns_more_than_a_new_one() -> None:
    configuration = Configuration(
        workload="bert",
        phase=Phase.TRAIN,
        precision="fp32",
        device="cpu",
        batch_size=32,
        options=CARDS["bert"].values({"checkpoint": "minilm-l6"}),
    )
    found = load(CARDS["bert"].load)()
    found.prepare(Setting(configuration, "cpu", seed=3, cache=cache_dir()))
    found.convert()
    for _ in range(found.total_steps()):
        found.step()
    quality, _ = found.evaluate()
    print(f"minilm-l6: {quality.accuracy}")  # noqa: T201
    assert quality.accuracy > 0.78
