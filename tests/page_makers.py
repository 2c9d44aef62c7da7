"""Pages and run folders for the tests of reports."""

import json
from pathlib import Path

import numpy as np

from harness.readings import Channel, Provenance, Quantity
from harness.records import Carbon, Doubt, Idle, Setup, TrialRecord
from harness.series import Series
from harness.store import RunFolder
from harness.traces import Recording, write_recording
from reports.page.blocks import (
    Column,
    Facts,
    Page,
    Points,
    Section,
    Table,
    Text,
)
from reports.page.charts.parts import Axis, Band, Bar, Line, Part, Point, Range
from reports.page.figures import bar_figure, line_figure, range_figure, scatter_figure
from tests.unit.test_ranking import trial

HOSTILE = "<script>alert(1)</script>"
TURNED = "a\u202egnp.exe"
"""A name with a mark that turns what follows it round."""


def table(rows: int = 2, text: str = "x") -> Table:
    return Table(
        caption=f"Of {text}",
        columns=(
            Column(title="name", about="What it is called."),
            Column(title="J", align="right"),
        ),
        rows=tuple((f"{text} {n}", f"{n}.50") for n in range(rows)),
        muted=frozenset({1}),
    )


def page(text: str = "plain", rows: int = 2) -> Page:
    """One of everything."""
    energy = Axis(title="Energy", unit="J")
    points = [
        Point(label=f"{text} {n}", x=n + 1, y=n / 10, on_front=True) for n in (0, 1)
    ]
    bar = Bar(label=text, parts=(Part(name="cpu", value=2.0),))
    span = Range(label=text, low=1, high=3, value=2, note=text)
    figures = (
        bar_figure([bar], energy, "Bars", text),
        range_figure([span], energy, "Ranges", text),
        scatter_figure(points, energy, Axis(title="Accuracy"), "Scatter", text),
        line_figure(
            [Line(name=text, points=((0, 1), (1, 3), (2, 2)))],
            Axis(title="Time", unit="s"), energy, "Lines", text, table(),
            [Band(name="window", start=0.5, end=1.5)],
        ),
    )  # fmt: skip
    blocks = (
        Text(text=text),
        Text(text=text, tone="caution"),
        Points(items=(text, "second")),
        Facts(pairs=((text, text),)),
        table(rows, text),
        *figures,
    )
    return Page(
        title=text,
        subtitle=text,
        lead=(Text(text=text, tone="lead"),),
        sections=(
            Section(name="all", title=text, blocks=blocks),
            Section(name="more", title="More", blocks=(Text(text="end"),)),
        ),
        colophon=(text,),
    )


def ranked_run(path: Path, suite: str = "quick", rounds: int = 3) -> Path:
    """A run of three precisions on two workloads, with traces, doubts and a skip."""
    folder = RunFolder.create(path)
    records = [
        _finished(precision, 50.0 + 20 * place + turn, turn, workload, accuracy)
        for turn in range(rounds)
        for workload in ("bert", "cnn")
        for place, (precision, accuracy) in enumerate(
            [("int8-dynamic", 0.8), ("bf16", 0.79), ("fp32", 0.8), ("prune-90", 0.3)]
        )
    ]
    for record in records:
        folder.append(record)
        _write_trace(folder, record)
    folder.write("plan.json", json.dumps(_plan(suite)))
    facts = {"cpu": "AMD EPYC", "cores_logical": 2, "packages": {"torch": "2.13"}}
    folder.write("machine.json", json.dumps(facts))
    folder.write("suite.yaml", "schema: 1\n")
    return path


def _finished(
    precision: str, energy_j: float, turn: int, workload: str, accuracy: float
) -> TrialRecord:
    made = trial(precision, energy_j, round=turn, workload=workload, accuracy=accuracy)
    reading = {
        "domain": "cpu", "device": "package-0", "energy_j": energy_j, "tier": "B",
        "method": "counter", "source": "rapl.powercap", "provenance": "measured",
        "update_period_s": 0.001,
    }  # fmt: skip
    values = made.model_dump(by_alias=True)
    values |= {
        "trial": f"r{turn}-{workload}-{precision}",
        "started_utc": f"2026-11-01T12:00:0{turn}+00:00",
        "energy": [reading],
        "window": values["window"] | {"start_s": 102.0, "end_s": 112.0},
        "setup": Setup(duration_s=1.0, energy_j=9.0, convert_energy_j=3.0),
        "idle": Idle(before_w=1.0, after_w=1.0, net_energy_j=energy_j - 10),
        "carbon": Carbon(
            co2e_g=energy_j / 3.6e6 * 56, intensity_g_per_kwh=56.0, place="FRA",
            year=2023, source="a table",
        ),
        "doubts": [Doubt(code="short-window", message="10 s", remedy="a longer one")],
    }  # fmt: skip
    return TrialRecord.model_validate(values)


def _write_trace(folder: RunFolder, record: TrialRecord) -> None:
    """A counter that shows 20 W before the window and 60 W in it."""
    times_s = np.arange(100.0, 114.0, 0.1)
    watts = np.where((times_s > 102) & (times_s < 112), 60.0, 20.0)
    channel = Channel(
        name="rapl.powercap/package-0/energy_j", domain="cpu", device="package-0",
        quantity=Quantity.ENERGY_J, kind="counter", provenance=Provenance.MEASURED,
        source="rapl.powercap", tier="B",
    )  # fmt: skip
    series = Series((times_s * 1e9).astype(np.int64), np.cumsum(watts) / 10)
    path = folder.trace_path(record.trial)
    write_recording(path, Recording((channel,), {channel.name: series}))


def _plan(suite: str) -> dict[str, object]:
    asked = {"workload": "bert", "phase": "infer", "device": "cpu", "batch_size": 8}
    return {
        "suite": suite, "profile": "quick", "settings": [], "seed": 7, "protocol": {},
        "quality": {"relative": 0.95}, "site": {"place": "FRA"}, "trials": [],
        "skips": [
            {"configuration": asked | {"precision": "fp8"}, "reason": "no fp8 here"}
        ],
    }  # fmt: skip
