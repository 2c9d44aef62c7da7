"""The tables of the history, and the row that a stored trial makes.

A column of a trial is one line of `KEPT`. An older index gets a column that it lacks
from the records, which it keeps as they were written: see `database`.
"""

import math
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from harness.records import TrialRecord

VERSION = 1
"""Of the tables; one more when a column or an index is added."""

WORDS: TypeEngine[str] = Text().with_variant(
    postgresql.TEXT(collation="C"), "postgresql"
)
"""Text that is compared byte by byte everywhere, so that UTC sorts as time does."""
WHOLE = BigInteger()
REAL = Float(53)
LARGEST = 2**63

KEPT: tuple[tuple[str, TypeEngine[Any], str], ...] = (
    ("key", WORDS, "key"),
    ("workload", WORDS, "configuration.workload"),
    ("phase", WORDS, "configuration.phase"),
    ("precision", WORDS, "configuration.precision"),
    ("device", WORDS, "configuration.device"),
    ("batch_size", WHOLE, "configuration.batch_size"),
    ("runtime", WORDS, "configuration.runtime"),
    ("scenario", WORDS, "configuration.scenario"),
    ("track", WORDS, "configuration.track"),
    ("official", Boolean(), "official"),
    ("round", WHOLE, "round"),
    ("seed", WHOLE, "seed"),
    ("status", WORDS, "status"),
    ("reason", WORDS, "reason"),
    ("started_utc", WORDS, "started_utc"),
    ("duration_s", REAL, "window.duration_s"),
    ("items", WHOLE, "window.items"),
    ("steps", WHOLE, "window.steps"),
    ("energy_j", REAL, "total.energy_j"),
    ("error_bound_j", REAL, "total.error_bound_j"),
    ("perimeter", WORDS, "total.perimeter"),
    ("provenance", WORDS, "total.provenance"),
    ("tier", WORDS, "total.tier"),
    ("complete", Boolean(), "total.complete"),
    ("modelled_ratio", REAL, "total.modelled_ratio"),
    ("net_energy_j", REAL, "idle.net_energy_j"),
    ("setup_energy_j", REAL, "setup.energy_j"),
    ("metric", WORDS, "quality.metric"),
    ("accuracy", REAL, "quality.accuracy"),
    ("skill", REAL, "quality.skill"),
    ("items_per_s", REAL, "performance.items_per_s"),
    ("latency_p50_s", REAL, "performance.latency_s.p50"),
    ("latency_p99_s", REAL, "performance.latency_s.p99"),
    ("co2e_g", REAL, "carbon.co2e_g"),
    ("schema", WHOLE, "schema_"),
)

METADATA = MetaData()
META = Table(
    "meta",
    METADATA,
    Column("name", WORDS, primary_key=True),
    Column("value", WORDS, nullable=False),
)
RUNS = Table(
    "runs",
    METADATA,
    Column("run", WORDS, primary_key=True),
    Column("folder", WORDS, nullable=False),
    Column("suite", WORDS),
    Column("profile", WORDS),
    Column("machine", WORDS),
    Column("started_utc", WORDS, nullable=False),
    Column("added_utc", WORDS, nullable=False),
    Column("planned", WHOLE),
    Column("plan_sha256", WORDS, nullable=False),
)
TRIALS = Table(
    "trials",
    METADATA,
    Column("run", WORDS, primary_key=True),
    Column("trial", WORDS, primary_key=True),
    Column("position", WHOLE),
    *(Column(name, kind) for name, kind, _ in KEPT),
    Column("energy_per_item_j", REAL),
    Column("doubts", WORDS),
    Column("record", WORDS, nullable=False),
    Index("trials_by_configuration", "workload", "precision", "device"),
    Index("trials_by_time", "started_utc"),
)


def derived(record: TrialRecord) -> dict[str, Any]:
    """The columns of a trial that follow from its record.

    Raises:
        ValueError: A whole number is too large for a database.
    """
    row = {name: plain(_at(record, path)) for name, _, path in KEPT}
    energy_j, items = row["energy_j"], row["items"]
    row["energy_per_item_j"] = energy_j / items if energy_j and items else None
    row["doubts"] = plain([doubt.code for doubt in record.doubts]) or None
    return row


def _at(record: TrialRecord, path: str) -> Any:
    """A value inside a record; None where a part on the way is missing."""
    value: Any = record
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


def plain(value: Any) -> Any:
    """A value that both databases take as it is."""
    if isinstance(value, (tuple, list)):
        value = "+".join(value)
    if isinstance(value, str):
        return str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        raise ValueError(f"{value} is too large a number for a database")
    return value
