"""Every figure of one report, computed again by other code from its trials and site.

Nothing of the report's own arithmetic is used here: plain Python on plain dictionaries.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import mean, median
from typing import Any

import pytest
from scipy.stats import t as student

from tests import sustainability_makers as makers

Ends = tuple[float, float, float]
YEAR_S = 365.25 * 24 * 3600


@pytest.fixture(scope="module")
def report() -> Any:
    return makers.report()


@pytest.fixture(scope="module")
def trials() -> list[Any]:
    return [record.model_dump(mode="json") for record in makers.run()]


@pytest.fixture(scope="module")
def site() -> Any:
    return makers.site().model_dump(mode="json")


def figures(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure of the JSON with its path; factors of the ledger are none."""
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from figures(each, f"{path}[{number}]")
    elif isinstance(node, dict):
        if {"unit", "methods", "formula"} <= node.keys():
            yield path, node
            return
        for name, each in node.items():
            yield from figures(each, f"{path}.{name}".lstrip("."))


def ranged(value: float, low: float | None = None, high: float | None = None) -> Ends:
    return value, value if low is None else low, value if high is None else high


def times(*parts: Ends) -> Ends:
    columns = zip(*parts, strict=True)
    value, low, high = (math.prod(column) for column in columns)
    return value, low, high


def plus(*parts: Ends) -> Ends:
    value, low, high = (math.fsum(column) for column in zip(*parts, strict=True))
    return value, low, high


def by(part: Ends, factor: float) -> Ends:
    return times(part, ranged(factor))


def of(factor: Any) -> Ends:
    return ranged(factor["value"], factor["low"], factor["high"])


class Site:
    """The factors as triples of value, low and high."""

    def __init__(self, site: Any) -> None:
        self.grid, self.pue = of(site["intensity"]), of(site["pue"])
        self.contract = of(site["contract"])
        self.wue, self.water = of(site["wue"]), of(site["source_water"])
        (piece,) = site["hardware"]
        self.sources = [of(each) for each in piece["embodied"]]
        self.years, self.count = of(piece["lifetime"]), piece["count"]

    def source_g(self, kg: Ends, seconds: float) -> Ends:
        per_year = 1000 * self.count * seconds / YEAR_S
        return (
            kg[0] / self.years[0] * per_year,
            kg[1] / self.years[2] * per_year,
            kg[2] / self.years[1] * per_year,
        )

    def made_g(self, seconds: float) -> Ends:
        each = [self.source_g(kg, seconds) for kg in self.sources]
        return (
            median(value for value, _, _ in each),
            min(low for _, low, _ in each),
            max(high for _, _, high in each),
        )

    def carbon(self, path: str, joules: Ends, seconds: float) -> dict[str, Ends]:
        kwh = by(joules, 1 / 3.6e6)
        facility = times(kwh, self.pue)
        location = times(facility, self.grid)
        made = self.made_g(seconds)
        return {
            f"{path}.energy_kwh": kwh,
            f"{path}.reserved_s": ranged(seconds),
            f"{path}.facility_kwh": facility,
            f"{path}.location_g": location,
            f"{path}.market_g": times(facility, self.contract),
            f"{path}.embodied_g": made,
            f"{path}.total_g": plus(location, made),
        }

    def litres(self, path: str, joules: Ends) -> dict[str, Ends]:
        kwh = by(joules, 1 / 3.6e6)
        onsite = times(kwh, self.wue)
        source = times(kwh, self.pue, self.water)
        return {
            f"{path}.onsite_l": onsite,
            f"{path}.source_l": source,
            f"{path}.total_l": plus(onsite, source),
        }


def bounded(joules: float, ratio: float) -> Ends:
    return joules, joules - joules * ratio, joules + joules * ratio


def error_ratio(trials: list[Any]) -> float:
    bounds = math.fsum(t["total"]["error_bound_j"] for t in trials)
    return bounds / math.fsum(t["total"]["energy_j"] for t in trials)


def phase_sums(trials: list[Any]) -> dict[str, float]:
    """Joules by phase."""
    idle = [t["idle"]["before_w"] + t["idle"]["after_w"] for t in trials]
    sums = {
        "setup": math.fsum(t["setup"]["energy_j"] for t in trials),
        "idle": math.fsum(idle) * makers.IDLE_S,
        "window": math.fsum(t["total"]["energy_j"] for t in trials),
    }
    exams = [t["evaluation"]["energy_j"] for t in trials if t["evaluation"]]
    return sums | ({"evaluation": math.fsum(exams)} if exams else {})


def gross(trials: list[Any]) -> Ends:
    ratio = error_ratio(trials)
    return plus(*(bounded(joules, ratio) for joules in phase_sums(trials).values()))


def net(trials: list[Any]) -> float:
    return math.fsum(t["idle"]["net_energy_j"] for t in trials)


def log_interval(values: list[float]) -> Ends:
    logs = [math.log(value) for value in values]
    centre = mean(logs)
    spread = math.sqrt(
        sum((log - centre) ** 2 for log in logs) / (len(logs) - 1) / len(logs)
    )
    half = float(student.ppf(0.975, len(logs) - 1)) * spread
    return math.exp(centre), math.exp(centre - half), math.exp(centre + half)


def per_item(trials: list[Any]) -> list[float]:
    return [t["total"]["energy_j"] / t["window"]["items"] for t in trials]


def geometric(values: list[float]) -> float:
    return math.exp(mean(math.log(value) for value in values))


def hours(trials: list[Any]) -> dict[str, float]:
    """Joules of the windows by hour, second by tenth of a second."""
    found: dict[str, float] = {}
    for t in trials:
        window = t["window"]
        parts = round(window["duration_s"] * 10)
        for part in range(parts):
            at_s = makers.OFFSET_S + window["start_s"] + (part + 0.5) / 10
            hour = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H")
            found[hour] = found.get(hour, 0.0) + t["total"]["energy_j"] / parts
    return dict(sorted(found.items()))


def of_run(report: Any, trials: list[Any], site: Site) -> dict[str, Ends]:
    """Figures of all trials together."""
    ratio = error_ratio(trials)
    sums, whole = phase_sums(trials), gross(trials)
    seconds = math.fsum(t["meter"]["duration_s"] for t in trials)
    found = site.carbon("carbon", whole, seconds)
    found |= site.litres("water", whole)
    found |= {
        "energy.gross_j": whole,
        "energy.window_j": bounded(sums["window"], ratio),
        "energy.net_j": ranged(net(trials)),
        "energy.machine_kwh": by(whole, 1 / 3.6e6),
        "energy.facility_kwh": times(by(whole, 1 / 3.6e6), site.pue),
        "energy.convert_j": bounded(30.0 * len(trials), ratio),
    }
    names = [each["name"] for each in report["energy"]["phases"]]
    for number, name in enumerate(names):
        if name in sums:
            found[f"energy.phases[{number}].energy_j"] = bounded(sums[name], ratio)
    for number, (domain, share) in enumerate((("cpu", 0.75), ("dram", 0.25))):
        assert report["energy"]["domains"][number]["name"] == domain
        found[f"energy.domains[{number}].energy_j"] = ranged(sums["window"] * share)
    by_hour = hours(trials)
    assert [each["name"] for each in report["energy"]["hours"]] == list(by_hour)
    for number, joules in enumerate(by_hour.values()):
        found[f"energy.hours[{number}].energy_j"] = ranged(joules)
    for number, kg in enumerate(site.sources):
        path = f"embodied_sources[{number}].embodied_g"
        found[path] = site.source_g(kg, seconds)
    return found | {
        "scopes[0].location_g": found["carbon.location_g"],
        "scopes[0].market_g": found["carbon.market_g"],
        "scopes[1].location_g": found["carbon.embodied_g"],
    }


def of_row(path: str, row: Any, trials: list[Any], site: Site) -> dict[str, Ends]:
    """Figures of one configuration."""
    mine = [t for t in trials if t["key"] == row["key"]]
    value, low, high = log_interval(per_item(mine))
    ratio = error_ratio(mine)
    joules = value, min(low, value * (1 - ratio)), max(high, value * (1 + ratio))
    seconds = geometric(
        [t["window"]["duration_s"] / t["window"]["items"] for t in mine]
    )
    above = mean(t["idle"]["net_energy_j"] / t["window"]["items"] for t in mine)
    found = {
        f"{path}.gross_per_item_j": joules,
        f"{path}.net_per_item_j": ranged(above),
        f"{path}.wh_per_1000_items": by(joules, 1000 / 3600),
    }
    found |= site.carbon(f"{path}.carbon", joules, seconds)
    found |= site.litres(f"{path}.water", joules)
    total = found[f"{path}.carbon.total_g"]
    effective = site.carbon("x", ranged(above), seconds)["x.total_g"]
    counts = {"item": 1.0, "token": 32.0}
    if row["configuration"]["phase"] == "train":
        spent_s = math.fsum(t["meter"]["duration_s"] for t in mine)
        total = site.carbon("x", gross(mine), spent_s)["x.total_g"]
        effective = site.carbon("x", ranged(net(mine)), spent_s)["x.total_g"]
        items = math.fsum(t["window"]["items"] for t in mine)
        counts = {"FLOP": items * 2e6, "training token": items * 32}
        counts["parameter"] = 5e6
    for number, (unit, count) in enumerate(counts.items()):
        assert row["scores"][number]["unit"] == unit
        found[f"{path}.scores[{number}].gross_g"] = by(total, 1 / count)
        found[f"{path}.scores[{number}].effective_g"] = by(effective, 1 / count)
    if row["saving"]:
        found |= of_saving(f"{path}.saving", row, trials, site)
    return found


def of_saving(path: str, row: Any, trials: list[Any], site: Site) -> dict[str, Ends]:
    """Against fp32, paired by round."""
    mine = [t for t in trials if t["key"] == row["key"]]
    other = [t for t in trials if t["key"] == row["saving"]["reference"]]
    per_kwh = site.wue[0] + site.pue[0] * site.water[0]
    joules = (per_item(mine), per_item(other))
    grams = (grams_of(mine, site), grams_of(other, site))
    litres = [[j / 3.6e6 * per_kwh for j in each] for each in joules]
    return {
        f"{path}.energy_ratio": paired(*joules),
        f"{path}.energy_per_item_j": saved(*joules),
        f"{path}.total_per_item_g": saved(*grams),
        f"{path}.water_per_item_l": saved(*litres),
    }


def grams_of(trials: list[Any], site: Site) -> list[float]:
    """Grams an item of each round."""
    made_g = site.made_g(1.0)[0]
    return [
        t["total"]["energy_j"]
        / 3.6e6
        / t["window"]["items"]
        * site.pue[0]
        * site.grid[0]
        + made_g * t["window"]["duration_s"] / t["window"]["items"]
        for t in trials
    ]


def paired(mine: list[float], other: list[float]) -> Ends:
    return log_interval([a / b for a, b in zip(mine, other, strict=True)])


def saved(mine: list[float], other: list[float]) -> Ends:
    value, low, high = paired(mine, other)
    base = geometric(other)
    return base * (1 - value), base * (1 - high), base * (1 - low)


def test_every_figure_of_a_report_comes_out_again(
    report: Any, trials: list[Any], site: Any
) -> None:
    expected = of_run(report, trials, Site(site))
    for g, group in enumerate(report["groups"]):
        for r, row in enumerate(group["rows"]):
            expected |= of_row(f"groups[{g}].rows[{r}]", row, trials, Site(site))

    printed = {
        path: each for path, each in figures(report) if each["value"] is not None
    }

    assert printed.keys() == expected.keys()
    for path, (value, low, high) in expected.items():
        found = printed[path]
        assert found["value"] == pytest.approx(value, rel=1e-9), path
        ends = (found["low"], found["high"])
        if ends == (None, None):
            assert low == high == value, path
        else:
            assert ends == pytest.approx((low, high), rel=1e-9), path


def test_what_is_missing_says_why(report: Any) -> None:
    absent = {path: each for path, each in figures(report) if each["value"] is None}

    assert {"water.withdrawal_l", "water.stress_adjusted_l"} <= absent.keys()
    assert all(each["reason"] for each in absent.values())


def test_totals_of_assumptions_come_out_again(
    report: Any, trials: list[Any], site: Any
) -> None:
    where = Site(site)
    kwh = gross(trials)[0] / 3.6e6
    seconds = math.fsum(t["meter"]["duration_s"] for t in trials)
    rate = where.made_g(1.0)[0]
    base = kwh * 1.2 * 56 + rate * seconds
    aged = rate * seconds * 4
    expected = {
        "carbon intensity of the grid": (
            base - kwh * 1.2 * (56 - 40),
            base + kwh * 1.2 * (70 - 56),
        ),
        "PUE": (base - kwh * 0.1 * 56, base + kwh * 0.3 * 56),
        "source of embodied carbon": (
            kwh * 1.2 * 56 + 460 * 2 * 1000 * seconds / (4 * YEAR_S),
            kwh * 1.2 * 56 + 2087 * 2 * 1000 * seconds / (4 * YEAR_S),
        ),
        "lifetime of the hardware": (
            kwh * 1.2 * 56 + aged / 6,
            kwh * 1.2 * 56 + aged / 3,
        ),
        "share of its life in use": (base, base + 3 * rate * seconds),
    }

    tried = report["sensitivity"]

    assert tried["base_g"] == pytest.approx(base)
    assert [each["name"] for each in tried["assumptions"]] == list(expected)
    for each in tried["assumptions"]:
        ends = each["low"]["total_g"], each["high"]["total_g"]
        assert ends == pytest.approx(expected[each["name"]]), each["name"]
