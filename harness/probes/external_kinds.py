"""How plugs, racks, Prometheus and growing CSV files are asked for joules and watts."""

import csv
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.meters_file import MeterEntry
from harness.readings import Quantity

J_PER_WH = 3600.0
J_PER_WATT_MINUTE = 60.0
LONGEST_S = 5.0
MOST_BYTES = 1 << 20
Values = Mapping[Quantity, float]
Poll = Callable[[], Values]


class MeterFault(Exception):  # noqa: N818 (a meter that fails is expected)
    """A meter did not answer as it should; the message says how."""


def poll_of(entry: MeterEntry) -> Poll:
    """What asks this meter once; it returns nothing where nothing is new.

    The function raises MeterFault when the meter does not answer.
    """
    makers: dict[str, Callable[[MeterEntry], Poll]] = {
        "shelly": _shelly,
        "tasmota": _tasmota,
        "redfish": _redfish,
        "ipmi": _ipmi,
        "prometheus": _prometheus,
        "csv": _csv,
    }
    return makers[entry.kind](entry)


def _fetch(entry: MeterEntry, path: str, **query: str) -> Any:
    """JSON of a path of the meter; at most 1 MiB, no redirects.

    Raises:
        MeterFault: Anything else came, or nothing.
    """
    import requests
    from urllib3.exceptions import HTTPError

    options = entry.options
    secret = os.environ.get(str(options.get("password_env", "")))
    user = str(options.get("username", ""))
    try:
        with requests.get(
            f"{options['url']}{path}",
            params=query or None,
            auth=(user, secret) if user and secret else None,
            timeout=min(entry.every_s, LONGEST_S),
            verify=bool(options.get("verify", True)),
            allow_redirects=False,
            stream=True,
        ) as answer:
            if answer.status_code != requests.codes.ok:
                raise MeterFault(f"{path} answers {answer.status_code}")
            body = answer.raw.read(MOST_BYTES + 1, decode_content=True)
    except (requests.RequestException, HTTPError) as error:
        raise MeterFault(f"{path}: {type(error).__name__}") from error
    except OSError as error:
        raise MeterFault(f"{path}: {error}") from error
    return _json(path, body)


def _json(path: str, body: bytes) -> Any:
    import json

    if len(body) > MOST_BYTES:
        raise MeterFault(f"{path} answers more than 1 MiB")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MeterFault(f"{path} answers no JSON") from error


def _number(data: Any, *keys: str | int) -> float | None:
    """A number deep in a JSON value; None where it is not."""
    for key in keys:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return None
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        return None
    try:
        return float(data)
    except OverflowError:  # an integer of hundreds of digits
        return None


def _found(watts: float | None, joules: float | None) -> dict[Quantity, float]:
    both = {Quantity.POWER_W: watts, Quantity.ENERGY_J: joules}
    return {quantity: value for quantity, value in both.items() if value is not None}


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _shelly(entry: MeterEntry) -> Poll:
    """Shelly: second generation's RPC (watt-hours), else the first's (watt-minutes).

    shelly-api-docs.shelly.cloud: Switch and PM1 `apower`, `aenergy.total`; Gen 1
    `/meter/N` `power`, `total`.
    """
    number = str(entry.options.get("channel", 0))
    known: list[str] = []

    def poll() -> Values:
        paths = known or [
            f"/rpc/Switch.GetStatus?id={number}",
            f"/rpc/PM1.GetStatus?id={number}",
            f"/meter/{number}",
        ]
        faults = []
        for path in paths:
            try:
                data = _fetch(entry, path)
            except MeterFault as fault:
                faults.append(str(fault))
                continue
            total = _scaled(_number(data, "aenergy", "total"), J_PER_WH)
            watts = _number(data, "apower")
            if path.startswith("/meter"):
                watts = _number(data, "power")
                total = _scaled(_number(data, "total"), J_PER_WATT_MINUTE)
            if values := _found(watts, total):
                known[:] = [path]
                return values
            faults.append(f"{path} tells no power")
        raise MeterFault("; ".join(faults))

    return poll


def _tasmota(entry: MeterEntry) -> Poll:
    """Tasmota: `Status 8`, ENERGY.Power in watts and .Total in kilowatt-hours."""

    def poll() -> Values:
        data = _fetch(entry, "/cm", cmnd="Status 8")
        place = ("StatusSNS", "ENERGY")
        total = _scaled(_number(data, *place, "Total"), 1000.0 * J_PER_WH)
        values = _found(_number(data, *place, "Power"), total)
        if not values:
            raise MeterFault("/cm tells no ENERGY: has the plug a meter?")
        return values

    return poll


def _redfish(entry: MeterEntry) -> Poll:
    """Redfish (DMTF DSP0268): EnvironmentMetrics, else the older Power resource."""
    base = f"/redfish/v1/Chassis/{entry.options.get('chassis', '1')}"

    def poll() -> Values:
        try:
            data = _fetch(entry, f"{base}/EnvironmentMetrics")
        except MeterFault:
            data = None
        watts = _number(data, "PowerWatts", "Reading")
        total = _scaled(_number(data, "EnergykWh", "Reading"), 1000.0 * J_PER_WH)
        values = _found(watts, total)
        if not values:
            data = _fetch(entry, f"{base}/Power")
            values = _found(
                _number(data, "PowerControl", 0, "PowerConsumedWatts"), None
            )
        if not values:
            raise MeterFault(f"{base} tells no power")
        return values

    return poll


def _ipmi(entry: MeterEntry) -> Poll:
    """IPMI DCMI by `ipmitool`: this machine's board controller, or another's by LAN.

    "Get Power Reading" of the DCMI 1.5 specification, section 6.6.1: whole watts, and
    whether the measurement is active at all.
    """
    command = ["ipmitool", *_over_lan(entry.options), "dcmi", "power", "reading"]
    secret = os.environ.get(str(entry.options.get("password_env", "")), "")
    environment = {**os.environ, "LC_ALL": "C", "IPMI_PASSWORD": secret}

    def poll() -> Values:
        try:
            answer = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=LONGEST_S,
                check=False,
            )
        except FileNotFoundError as error:
            raise MeterFault("ipmitool is not installed: apt install it") from error
        except subprocess.TimeoutExpired as error:
            raise MeterFault(f"ipmitool did not answer in {LONGEST_S:g} s") from error
        watts = re.search(r"Instantaneous power reading:\s*(\d+) Watts", answer.stdout)
        state = re.search(r"Power reading state is:\s*(\w+)", answer.stdout)
        if watts is None:
            told = answer.stderr.strip().splitlines() or ["no power reading"]
            raise MeterFault(f"ipmitool: {told[-1]} (exit code {answer.returncode})")
        if state is not None and state[1] != "activated":
            raise MeterFault(f"the power reading of the controller is {state[1]}")
        return {Quantity.POWER_W: float(watts[1])}

    return poll


def _over_lan(options: Mapping[str, str | float | bool]) -> list[str]:
    """Words that name another machine's controller; none for our own."""
    if "host" not in options:
        return []
    words = ["-I", "lanplus", "-H", str(options["host"])]
    if "username" in options:
        words += ["-U", str(options["username"]), "-E"]
    return words


def _prometheus(entry: MeterEntry) -> Poll:
    """An instant query with one result.

    Its time is that of the question, not of the scrape, so that an old value looks new;
    how often the value really changes is seen in its readings (harness.series).
    """
    quantity = Quantity(str(entry.options["quantity"]))
    scale = float(entry.options.get("scale", 1.0))
    last: list[float] = []

    def poll() -> Values:
        query = str(entry.options["query"])
        data = _fetch(entry, "/api/v1/query", query=query)
        series = data.get("data", {}).get("result") if isinstance(data, dict) else None
        if not isinstance(series, list) or len(series) != 1:
            found = [s.get("metric") for s in series or [] if isinstance(s, dict)]
            raise MeterFault(
                f"the query has {len(found)} results, not one: {found[:5]}"
            )
        try:
            at_s, value = series[0]["value"]
            reading = float(value) * scale
        except (KeyError, TypeError, ValueError) as error:
            raise MeterFault("the query's result is no number") from error
        if last == [at_s, reading]:
            return {}
        last[:] = [at_s, reading]
        return {quantity: reading}

    return poll


def _csv(entry: MeterEntry) -> Poll:
    """The newest whole line of a file that an analyser appends to."""
    path = Path(str(entry.options["path"]))
    tail = _Tail(path, str(entry.options.get("power_w", "power_w")))

    def poll() -> Values:
        try:
            watts = tail.newest_w()
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise MeterFault(f"{path}: {error}") from error
        return {} if watts is None else {Quantity.POWER_W: watts}

    return poll


class _Tail:
    """Follows a growing CSV file; begins anew when it was truncated or replaced."""

    def __init__(self, path: Path, column: str) -> None:
        self._path = path
        self._column = column
        self._offset = 0
        self._inode = 0
        self._partial = ""
        self._fields: list[str] = []
        self._delimiter = ","

    def newest_w(self) -> float | None:
        """Power of the newest line since the last call; None where none came."""
        status = self._path.stat()
        if status.st_ino != self._inode or status.st_size < self._offset:
            self._offset, self._inode, self._partial = 0, status.st_ino, ""
            self._fields = []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            added = file.read(MOST_BYTES)
        self._offset += len(added)
        text = self._partial + added.decode("utf-8-sig")
        *lines, self._partial = text.split("\n")
        watts = None
        for line in (line.strip("\r") for line in lines if line.strip()):
            if self._fields:
                watts = self._watts(line)
            else:
                self._head(line)
        return watts

    def _head(self, line: str) -> None:
        """Remember the columns of the first line."""
        self._delimiter = max(",;\t", key=line.count)
        (fields,) = csv.reader([line], delimiter=self._delimiter)
        self._fields = [field.strip() for field in fields]
        if self._column not in self._fields:
            known = ", ".join(self._fields)
            self._fields = []
            raise MeterFault(
                f"{self._path}: no column {self._column!r}; it has {known}"
            )

    def _watts(self, line: str) -> float | None:
        (cells,) = csv.reader([line], delimiter=self._delimiter)
        place = self._fields.index(self._column)
        try:
            text = cells[place].strip()
            return float(text.replace(",", ".") if self._delimiter != "," else text)
        except (IndexError, ValueError):
            return None
