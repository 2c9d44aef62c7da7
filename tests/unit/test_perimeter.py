"""What is inside what, and counted once."""

import pytest

from harness import perimeter
from harness.readings import EnergyReading, Provenance


def reading(
    domain: str, device: str, energy_j: float | None, **more: object
) -> EnergyReading:
    fields = {
        "domain": domain,
        "device": device,
        "energy_j": energy_j,
        "method": "counter" if energy_j is not None else "none",
        "source": f"{domain}.meter",
        "provenance": Provenance.MEASURED,
        "tier": "B",
        "relative_bound_j": 0.1,
        "error_bound_j": 0.5,
        "reason": None if energy_j is not None else "it is broken",
    }
    return EnergyReading.model_validate(fields | more)


SOCKETS = [
    reading("cpu", "package-0", 75.0),
    reading("core", "package-0/core", 60.0, inside="package-0"),
    reading("dram", "package-0/dram", 10.0),
    reading("cpu", "package-1", 75.0),
    reading("dram", "package-1/dram", 10.0),
]
GPU = reading("gpu", "GPU-1", 400.0)


@pytest.mark.parametrize(
    ("readings", "joules", "domains"),
    [
        (SOCKETS, 170.0, ("cpu", "dram")),
        ([*SOCKETS, reading("psys", "psys", 170.0)], 170.0, ("psys",)),
        ([*SOCKETS, GPU], 570.0, ("cpu", "dram", "gpu")),
        ([*SOCKETS, GPU, reading("psys", "psys", 170.0)], 570.0, ("gpu", "psys")),
        (
            [
                *SOCKETS,
                reading("gpu", "GPU-1", 400.0, inside="psys"),
                reading("psys", "psys", 600.0),
            ],
            600.0,
            ("psys",),
        ),
        ([*SOCKETS, GPU, reading("wall", "plug", 700.0)], 700.0, ("wall",)),
        (
            [
                reading("module", "m", 550.0),
                reading("gpu", "GPU-1", 400.0, inside="m"),
                reading("gpu_memory", "GPU-1/memory", 80.0, inside="GPU-1"),
                reading("socket", "grace-0", 120.0, inside="m"),
                reading("cpu", "package-0", 70.0, inside="grace-0"),
            ],
            550.0,
            ("module",),
        ),
        (
            [
                reading("soc", "VDD_IN", 20.0),
                reading("cpu", "VDD_CPU", 8.0, inside="VDD_IN"),
            ],
            20.0,
            ("soc",),
        ),
    ],
)
def test_outermost_disjoint_perimeters_are_added_once(
    readings: list[EnergyReading], joules: float, domains: tuple[str, ...]
) -> None:
    total = perimeter.total(readings)

    assert total.energy_j == pytest.approx(joules)
    assert total.perimeter == domains
    assert total.complete


def test_two_plugs_add_and_a_second_instrument_does_not() -> None:
    plugs = [
        reading("wall", f"plug-{n}", 300.0, source="external.shelly", tier="A")
        for n in (1, 2)
    ]
    rack = reading(
        "wall", "bmc", 650.0, source="external.redfish", tier="A", error_bound_j=60.0
    )

    assert perimeter.total(plugs).energy_j == 600.0
    assert perimeter.total([*plugs, rack]).energy_j == 600.0


def test_a_plug_that_fails_beside_another_leaves_the_total_incomplete() -> None:
    plugs = [
        reading("wall", "psu1", 500.0, source="external.shelly"),
        reading("wall", "psu2", None, source="external.shelly"),
    ]

    total = perimeter.total([*SOCKETS, *plugs])

    assert (total.energy_j, total.perimeter) == (500.0, ("wall",))
    assert not total.complete
    assert "psu2: it is broken" in (total.reason or "")


def test_a_controller_that_answers_in_full_is_taken_before_half_of_the_plugs() -> None:
    plugs = [
        reading("wall", "psu1", 500.0, source="external.shelly", tier="A"),
        reading("wall", "psu2", None, source="external.shelly", tier="A"),
    ]
    rack = reading("wall", "bmc", 990.0, source="external.redfish", tier="A")

    total = perimeter.total([*plugs, rack])

    assert (total.energy_j, total.complete) == (990.0, True)


def superchips(*modules: EnergyReading) -> list[EnergyReading]:
    gpus = [
        reading("gpu", device, 500.0, inside=f"{device}/module")
        for device in ("GPU-A", "GPU-B")
    ]
    return [*modules, *gpus]


def test_a_gpu_counts_where_its_own_module_fails_and_the_total_says_so() -> None:
    total = perimeter.total(
        superchips(
            reading("module", "GPU-A/module", 700.0),
            reading("module", "GPU-B/module", None),
        )
    )

    assert total.energy_j == 1200.0
    assert not total.complete
    assert "GPU-B/module: it is broken" in (total.reason or "")


def test_modules_are_blunt_together_or_not_at_all() -> None:
    sharp = reading("module", "GPU-A/module", 700.0)

    def total_of(bound_j: float) -> tuple[float | None, tuple[str, ...]]:
        blunt = reading("module", "GPU-B/module", 700.0, relative_bound_j=bound_j)
        total = perimeter.total(superchips(sharp, blunt))
        return total.energy_j, total.perimeter

    assert total_of(300.0) == (1400.0, ("module",))
    assert total_of(600.0) == (1000.0, ("gpu",))


def test_a_part_of_a_failed_gpu_is_not_counted_beside_the_module() -> None:
    total = perimeter.total(
        [
            reading("module", "m", 550.0),
            reading("gpu", "GPU-1", None, inside="m"),
            reading("gpu_memory", "GPU-1/memory", 80.0, inside="GPU-1"),
        ]
    )

    assert (total.energy_j, total.perimeter) == (550.0, ("module",))


def test_a_card_beside_a_module_is_not_inside_it() -> None:
    total = perimeter.total([reading("module", "m", 550.0), GPU])

    assert total.energy_j == 950.0


def test_an_outer_meter_too_slow_for_the_window_gives_way_to_its_parts() -> None:
    slow = reading("wall", "bmc", 700.0, relative_bound_j=300.0)

    total = perimeter.total([*SOCKETS, slow])

    assert total.perimeter == ("cpu", "dram")


def test_cores_stand_for_themselves_where_their_package_fails_and_that_is_said() -> (
    None
):
    broken = [reading("cpu", "package-0", None), SOCKETS[1]]

    total = perimeter.total(broken)

    assert total.energy_j == 60.0
    assert not total.complete
    assert "package-0: it is broken" in (total.reason or "")


def test_a_platform_zone_that_fails_gives_way_to_its_parts_and_is_named() -> None:
    total = perimeter.total([*SOCKETS, reading("psys", "psys", None)])

    assert total.energy_j == pytest.approx(170.0)
    assert not total.complete
    assert "psys: it is broken" in (total.reason or "")


def test_nothing_is_none_with_every_reason() -> None:
    total = perimeter.total([reading("gpu", "GPU-1", None)])

    assert total.energy_j is None
    assert not total.complete
    assert "GPU-1: it is broken" in (total.reason or "")


def model(domain: str, source: str, tier: str = "D") -> EnergyReading:
    return reading(
        domain, f"{source}-{domain}", 9.0, source=source, tier=tier,
        provenance=Provenance.MODELLED,
    )  # fmt: skip


def test_models_of_what_an_instrument_covers_are_dropped() -> None:
    models = [model("cpu", "codecarbon"), model("dram", "codecarbon", "E")]

    def left(*measured: EnergyReading) -> set[str]:
        kept = perimeter.without_covered_models([*measured, *models])
        return {r.domain for r in kept if r.provenance is Provenance.MODELLED}

    assert left() == {"cpu", "dram"}
    assert left(SOCKETS[0]) == {"dram"}
    assert left(GPU) == {"cpu", "dram"}
    assert left(reading("wall", "plug", 100.0)) == set()
    assert left(reading("wall", "bmc", 100.0, relative_bound_j=80.0)) == {"cpu", "dram"}
    assert left(reading("cpu", "package-0", None)) == {"cpu", "dram"}


def test_of_two_models_of_a_domain_one_is_kept() -> None:
    both = [model("cpu", "codecarbon", "E"), model("cpu", "apple")]

    (kept,) = perimeter.without_covered_models(both)

    assert kept.source == "apple"


def test_a_total_is_as_good_as_its_worst_part() -> None:
    total = perimeter.total([SOCKETS[0], model("dram", "codecarbon", "E")])

    assert (total.provenance, total.tier) == ("modelled", "E")
    assert total.modelled_ratio == pytest.approx(9.0 / 84.0)
    assert total.error_bound_j == pytest.approx(1.0)
