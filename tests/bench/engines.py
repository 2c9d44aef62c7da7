"""Our run times beside plain scripts of the same engines: throughput as ratios.

python -m tests.bench.engines [--rounds 5] [--seconds 3] [--only bert/fp32]

Each cell is a process of its own in which both sides are ready before anything is
timed; their windows alternate, and which comes first alternates too. BERT-base at batch
8 of 128 tokens and ResNet-50 at batch 8 of 224 pixels, random weights: speed, no
accuracy. Writes docs/measured/engines.md.
"""

import argparse
import json
import platform
import re
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "measured" / "engines.md"
BATCH = 8
CALIBRATION = 4
CELLS = {
    "bert": (
        ("fp32", "eager"),
        ("bf16", "eager"),
        ("fp32", "compile"),
        ("bf16", "compile"),
        ("int8-static", "compile"),
        ("fp32", "openvino"),
        ("bf16", "openvino"),
        ("int8-static", "openvino"),
        ("fp32", "onnxruntime"),
        ("int8-dynamic", "onnxruntime"),
    ),
    "cnn": (
        ("fp32", "eager"),
        ("bf16", "eager"),
        ("fp32", "compile"),
        ("bf16", "compile"),
        ("int8-static", "compile"),
        ("fp32", "openvino"),
        ("bf16", "openvino"),
        ("int8-static", "openvino"),
        ("fp32", "onnxruntime"),
        ("int8-static", "onnxruntime"),
    ),
}
SHAPES = {"bert": "BERT-base, 128 tokens", "cnn": "ResNet-50, 224 px"}
PACKAGES = ("torch", "torchao", "transformers", "openvino", "nncf", "onnxruntime")

METHOD = """\
Random weights; the sides alternate in one process. The peer is the engine used as its
manual says (`tests/bench/engine_peers.py`); the ratio is the median over rounds of our
items a second over its. The aim is 0.95 or more in every cell. Memory is the peak of
our process, conversion included, before the peer was loaded."""
HEAD = (
    "| shape | precision | run time | ours, items/s | peer, items/s "
    "| ours / peer (rounds) | of fp32 eager | peak memory |"
)

Step = Callable[[], object]


def main() -> None:
    """Measure every cell and write the page, or one cell as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.cell:
        found = measure(*asked.cell, rounds=asked.rounds, seconds=asked.seconds)
        sys.stdout.write(json.dumps(found) + "\n")
        return
    rows = []
    for shape, cells in CELLS.items():
        for precision, runtime in cells:
            if asked.only in f"{shape}/{precision}/{runtime}":
                rows.append(in_a_process(shape, precision, runtime, asked))
    if not asked.only:
        PAGE.write_text(page(rows, asked), encoding="utf-8")


def in_a_process(
    shape: str, precision: str, runtime: str, asked: argparse.Namespace
) -> dict[str, Any]:
    """One cell; its memory is that of the process before the peer is loaded."""
    command = [sys.executable, "-m", "tests.bench.engines"]
    command += ["--rounds", str(asked.rounds), "--seconds", str(asked.seconds)]
    command += ["--cell", shape, precision, runtime]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr[-2000:])
        raise SystemExit(f"{shape} {precision} {runtime} failed")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    sys.stderr.write(f"{row}\n")
    return row


def measure(
    shape: str, precision: str, runtime: str, *, rounds: int, seconds: float
) -> dict[str, Any]:
    """Items a second of both sides in alternating windows."""
    warnings.simplefilter("ignore")
    model, batch = subject(shape)
    mine = ours(shape, precision, runtime, model, batch)
    mine()
    peak_bytes = resident_peak_bytes()
    theirs = peer(shape, precision, runtime, batch)
    theirs()
    rates: dict[str, list[float]] = {"ours": [], "peer": []}
    for number in range(rounds):
        sides = [("ours", mine), ("peer", theirs)]
        for name, step in sides if number % 2 else reversed(sides):
            rates[name].append(rate(step, seconds))
    ratios = [a / b for a, b in zip(rates["ours"], rates["peer"], strict=True)]
    return {
        "shape": shape,
        "precision": precision,
        "runtime": runtime,
        "ours_per_s": statistics.median(rates["ours"]),
        "peer_per_s": statistics.median(rates["peer"]),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "peak_bytes": peak_bytes,
    }


def rate(step: Step, seconds: float) -> float:
    """Items a second over a window."""
    step()
    started_s, items = time.perf_counter(), 0
    while time.perf_counter() - started_s < seconds:
        step()
        items += BATCH
    return items / (time.perf_counter() - started_s)


def resident_peak_bytes() -> int:
    """Peak resident memory of this process."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def subject(shape: str) -> tuple[Any, Any]:
    """Our model in evaluation and a batch of its inputs."""
    import torch

    from workloads.bert import SIZES, BertClassifier
    from workloads.cnn_models import network
    from workloads.inference import channels_last, shaped

    torch.manual_seed(0)
    if shape == "bert":
        model: Any = BertClassifier(*SIZES["base"], 5)
        batch = torch.randint(1, 4000, (BATCH, 128))
    else:
        model = network("resnet-50", 10, 224)
        batch = torch.rand(BATCH, 3, 224, 224)
    model = channels_last(model.eval().requires_grad_(requires_grad=False))
    return model, shaped(batch)


def ours(shape: str, precision: str, runtime: str, model: Any, batch: Any) -> Step:
    """A step of our workload: a batch answered and its classes kept."""
    from harness.contracts import Skip
    from workloads.classification import cast
    from workloads.conversion import Context
    from workloads.inference import Inference
    from workloads.runtimes import RUNTIMES

    def batches() -> Iterator[Any]:
        yield from [batch] * CALIBRATION

    context = Context("infer", shape, "cpu", runtime, batch, batches)
    converted = RUNTIMES[runtime].convert(model, precision, context)
    if isinstance(converted, Skip):
        raise SystemExit(converted.reason)
    x = cast(batch, converted.input_dtype)
    return Inference(converted.model, x, BATCH, converted.autocast).step


def peer(shape: str, precision: str, runtime: str, batch: Any) -> Step:
    """What a user of the engine would write by its manual, without us."""
    import torch

    from tests.bench import engine_peers

    model = engine_peers.bert() if shape == "bert" else engine_peers.resnet50()
    make = getattr(engine_peers, f"{runtime}_{precision.replace('-', '_')}")
    plain = batch.contiguous()
    with torch.no_grad():
        step: Step = make(model.eval(), plain)
    return step


def page(rows: list[dict[str, Any]], asked: argparse.Namespace) -> str:
    """The table as Markdown."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        "# Our run times beside plain scripts of the same engines",
        "",
        f"Written by `python -m tests.bench.engines` on {datetime.now(UTC):%Y-%m-%d}:",
        f"{platform.system()} {platform.machine()}, {cpu_name()}; {versions}.",
        "",
        f"Batch {BATCH}, {asked.rounds} rounds of {asked.seconds:g} s a side.",
        METHOD,
        "",
        HEAD,
        "|---|---|---|--:|--:|--:|--:|--:|",
    ]
    eager = {r["shape"]: r["ours_per_s"] for r in rows if is_reference(r)}
    for row in rows:
        spread = f"{min(row['ratios']):.2f} to {max(row['ratios']):.2f}"
        lines.append(
            f"| {SHAPES[row['shape']]} | {row['precision']} | {row['runtime']} "
            f"| {row['ours_per_s']:.1f} | {row['peer_per_s']:.1f} "
            f"| {row['ratio']:.2f} ({spread}) "
            f"| {row['ours_per_s'] / eager[row['shape']]:.2f} "
            f"| {row['peak_bytes'] / 1e9:.2f} GB |"
        )
    return "\n".join(lines) + "\n"


def is_reference(row: dict[str, Any]) -> bool:
    """Whether it is fp32 as torch runs it."""
    return (row["precision"], row["runtime"]) == ("fp32", "eager")


def cpu_name() -> str:
    """Model of the processor and its number of cores."""
    import os

    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return f"{found[1] if found else 'unknown processor'}, {os.cpu_count()} threads"


if __name__ == "__main__":
    main()
