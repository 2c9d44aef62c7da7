import io
from pathlib import Path

import pytest
from rich.console import Console

from harness.records import Carbon, MeterCost, TrialRecord
from reports.ranking import Group, Ranking, rank
from reports.rows import Row
from reports.terminal import header_lines, render

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


def stored() -> list[TrialRecord]:
    lines = (GOLDEN / "trials.jsonl").read_text(encoding="utf-8").splitlines()
    return [TrialRecord.model_validate_json(line) for line in lines]


def printed(ranking: Ranking, header: tuple[str, ...] = (), width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        render(ranking, header, console)
    lines = captured.get().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


@pytest.mark.parametrize("width", [80, 120])
def test_the_screen_is_the_one_that_was_agreed(width: int) -> None:
    records = stored()

    screen = printed(
        rank(records), header_lines("quick", "an invented machine", records), width
    )

    golden = GOLDEN / f"ranking-{width}.txt"
    assert screen == golden.read_text(encoding="utf-8")


def test_no_line_is_wider_than_the_terminal() -> None:
    screen = printed(rank(stored()), width=80)

    assert max(map(len, screen.splitlines())) <= 80


def test_carbon_gives_way_before_names_wrap() -> None:
    assert "CO2e" not in printed(rank(stored()), width=103)
    assert "g CO2e / 1k" in printed(rank(stored()), width=104)


def test_modelled_joules_are_marked_in_the_table_itself() -> None:
    train = [record for record in stored() if record.configuration.phase == "train"]

    screen = printed(rank(train))

    assert "~1.00 " in screen
    assert "~ not measured in full" in screen


def test_text_of_others_is_neither_markup_nor_a_terminal_command() -> None:
    screen = printed(rank(stored()), ("suite [red]x[/red] \x1b]0;title\x07 :smile:",))

    assert "[red]x[/red]" in screen
    assert ":smile:" in screen
    assert "\x1b" not in screen
    assert "[bold]torchao[/bold] is not installed" in screen


def test_a_single_round_shows_no_spread() -> None:
    once = [record for record in stored() if record.round == 0]

    assert "±" not in printed(rank(once))


def test_ties_are_shown_as_ties() -> None:
    records = [r for r in stored() if r.key.endswith("infer/fp32/cpu/b8")]
    twin = records[0].configuration.model_copy(update={"suffix": "-again"})
    change = {"configuration": twin, "key": twin.key}
    copies = [record.model_copy(update=change) for record in records]

    assert printed(rank([*records, *copies])).count("1= [1-2]") == 2


def test_fewer_than_three_rounds_show_an_order_and_no_rank() -> None:
    once = [record for record in stored() if record.round == 0]

    screen = printed(rank(once))

    assert "(1)" in screen
    assert "estimates, no ranks" in screen


def test_a_row_without_rank_shows_no_ratio() -> None:
    (group,) = rank([r for r in stored() if r.configuration.phase == "infer"]).groups
    (failed,) = [row for row in group.rows if row.verdict == "fail"]

    line = next(x for x in printed(rank(stored())).splitlines() if " int4 " in f"{x} ")

    assert failed.accuracy_per_j.value is not None
    assert line.split()[:5] == ["-", "int4", "0.710", "9.00", "-"]


def test_nothing_measured_is_said() -> None:
    assert printed(rank([])) == "Nothing was measured.\n"


def test_a_header_without_sources_says_so() -> None:
    lines = header_lines("quick", "a laptop", [])

    assert lines[1:] == (
        "energy: no source could be read",
        "carbon: no intensity was given",
    )


def test_an_intensity_carries_its_place_and_year() -> None:
    carbon = Carbon(co2e_g=1.0, intensity_g_per_kwh=56.0, place="FRA", year=2023)
    record = stored()[0].model_copy(update={"carbon": carbon})

    assert header_lines("quick", "a laptop", [record])[2] == (
        "carbon: 56.0 g CO2e/kWh, FRA, 2023 (assumed)"
    )


def test_what_the_metering_cost_is_said() -> None:
    costs = [MeterCost(cpu_s=0.05, duration_s=10.0), MeterCost()]
    records = [stored()[0].model_copy(update={"meter": cost}) for cost in costs]

    assert header_lines("quick", "a laptop", records)[-1] == (
        "meters: 0.0500 CPU s a trial, 0.5 % of a core"
    )


def test_a_group_of_long_names_drops_a_column_rather_than_wrap_them() -> None:
    (group,) = rank(stored()[:9]).groups
    long = tuple(
        row.model_copy(
            update={
                "configuration": row.configuration.model_copy(
                    update={"suffix": "-" + "x" * 16 + str(number)}
                )
            }
        )
        for number, row in enumerate(group.rows)
    )
    ranking = rank([]).model_copy(
        update={"groups": (group.model_copy(update={"rows": long}),)}
    )

    screen = printed(ranking, width=80)

    assert "int8-dynamic-" + "x" * 16 in screen
    assert isinstance(group, Group)
    assert isinstance(long[0], Row)


def tied(count: int) -> Ranking:
    """So many configurations of long names, none shown to differ from another."""
    records = [r for r in stored() if r.key.endswith("infer/fp32/cpu/b8")]
    changes = [
        {"configuration": twin, "key": twin.key}
        for number in range(count)
        for twin in [
            records[0].configuration.model_copy(
                update={"runtime": "onnxruntime", "suffix": f"-{number:02}"}
            )
        ]
    ]
    return rank([r.model_copy(update=c) for c in changes for r in records])


@pytest.mark.parametrize("width", [51, 60, 80])
def test_a_narrow_terminal_drops_columns_and_cuts_nothing(width: int) -> None:
    screen = printed(tied(23), width=width)

    rows = [line for line in screen.splitlines() if "[1-23]" in line]
    assert len(rows) == 23
    assert all(len(line) <= width for line in screen.splitlines())
    assert "…" not in screen
    assert rows[0].split()[:5] == ["1=", "[1-23]", "fp32", "onnxruntime-00", "0.842"]
    assert ("±" in rows[0]) == (width > 51)


def test_where_nothing_is_left_to_drop_names_fold_and_figures_stay() -> None:
    screen = printed(tied(3), width=38)

    rows = [line for line in screen.splitlines() if "[1-3]" in line]
    assert len(rows) == 3
    assert all(line.startswith("1= [1-3]") and "0.842" in line for line in rows)
    assert "…" not in screen
