"""The user's meters file: every fault at once, and no secrets."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.meters_file import EXAMPLE, meters_path, read_meters


def written(folder: Path, *meters: str) -> Path:
    path = folder / "meters.yaml"
    lines = "".join(f"  - {meter}\n" for meter in meters)
    path.write_text(f"schema: 1\nmeters:\n{lines}")
    return path


def test_a_file_of_every_kind_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMC_PASSWORD", "secret")
    path = written(
        tmp_path,
        "{name: plug, kind: shelly, url: 'http://192.0.2.10/', relative_error: 1%}",
        "{name: plug2, kind: tasmota, url: 'http://192.0.2.11', every: 2 s}",
        "{name: bmc, kind: redfish, url: 'https://192.0.2.12', username: admin,"
        " password_env: BMC_PASSWORD, verify: false, chassis: '1'}",
        "{name: dcgm, kind: prometheus, url: 'http://localhost:9090', query: up,"
        " quantity: energy_j, scale: 0.001, domain: gpu, device: GPU-abc}",
        "{name: wt310, kind: csv, path: /data/wt310.csv, time: t, power_w: P}",
        "{name: board, kind: ipmi, every: 2 s, host: node-7.example}",
    )

    plug, plug2, bmc, dcgm, wt310, board = read_meters(path)

    assert (plug.domain, plug.device, plug.relative_error) == ("wall", "plug", 0.01)
    assert plug.options["url"] == "http://192.0.2.10"
    assert plug2.every_s == 2.0
    assert bmc.options["username"] == "admin"
    assert (dcgm.domain, dcgm.device) == ("gpu", "GPU-abc")
    assert wt310.options["power_w"] == "P"
    assert board.options == {"host": "node-7.example"}


def test_every_fault_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "{name: a, kind: shely, url: 'http://192.0.2.1'}",
        "{name: b, kind: shelly}",
        "{name: b, kind: tasmota, url: 'ftp://192.0.2.1', query: up}",
        "{name: c, kind: redfish, url: 'https://x', password: hunter2, evry: 1 s}",
        "{name: d, kind: csv, path: x, every: 1 ms, domain: moon}",
        "{name: e, kind: ipmi, host: '-C 3', url: 'http://192.0.2.1'}",
    )

    with pytest.raises(UsageError) as caught:
        read_meters(path)

    lines = caught.value.message.splitlines()
    told = "\n".join(lines)
    assert f"{path}:3: meters[0].kind: unknown 'shely' (did you mean 'shelly'?)" in told
    assert f"{path}:4: meters[1]: a meter of kind shelly needs the key 'url'" in told
    assert "does not begin with http://" in told
    assert "'-C 3' is no name of a host" in told
    assert "meters[2].query: means nothing to a meter of kind tasmota" in told
    assert "password_env" in told
    assert "unknown key (did you mean 'every'?)" in told
    assert "shorter than 100 ms" in told
    assert "meters[4].domain" in told
    assert "'b' is there already" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("meter", "words"),
    [
        (
            "{name: a, kind: redfish, url: 'http://x', password_env: HOME}",
            "password over plain http",
        ),
        ("{name: a, kind: shelly, url: 'http://u:p@x'}", "no names and passwords"),
        (
            "{name: a, kind: redfish, url: 'https://x', password_env: NO_SUCH_ONE}",
            "no variable NO_SUCH_ONE",
        ),
        (
            "{name: a, kind: redfish, url: 'https://x', username: u}",
            r"meters\[0\].username: goes with the key 'password_env'",
        ),
        (
            "{name: a, kind: redfish, url: 'https://x', password_env: BMC_PASSWORD}",
            r"meters\[0\].password_env: goes with the key 'username'",
        ),
    ],
)
def test_secrets_are_kept_out_of_files_and_off_plain_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meter: str, words: str
) -> None:
    monkeypatch.setenv("BMC_PASSWORD", "secret")

    with pytest.raises(UsageError, match=words):
        read_meters(written(tmp_path, meter))


@pytest.mark.parametrize(
    ("meter", "words"),
    [
        ("url: 'https://admin:hunter2@x'", "no names and passwords"),
        ("url: 'admin:hunter2@x'", "no names and passwords"),
        ("url: 'ftp://x/hunter2'", "does not begin with http://"),
        ("url: 'https://x:hunter2'", "its host or port cannot be read"),
        ("url: 'https://[hunter2'", "its host or port cannot be read"),
        ("url: 'https:///hunter2'", "names no host"),
        ("url: 'https://x/a?token=hunter2'", "ends before any '[?]'"),
        ("url: 'https://x/a#hunter2'", "ends before any '[?]'"),
        ("url: ['https://admin:hunter2@x']", "no names and passwords"),
        ("url: {admin: hunter2}", "does not begin with http://"),
        ("password_env: [hunter2]", "names a variable in capitals"),
        ("password_env: hunter2", "names a variable in capitals"),
        ("password_env: Hunter2", "names a variable in capitals"),
        ("password: hunter2", "no passwords in files"),
    ],
)
def test_what_may_hold_a_secret_is_refused_and_never_told(
    tmp_path: Path, meter: str, words: str
) -> None:
    path = written(tmp_path, f"{{name: a, kind: redfish, {meter}}}")

    with pytest.raises(UsageError, match=words) as caught:
        read_meters(path)

    assert f"{path}:3: meters[0]." in caught.value.message
    assert "hunter2" not in caught.value.message.casefold()


@pytest.mark.parametrize(
    "meters",
    ["'a: hunter2'", "[]", "['https://a:hunter2@x']", "{name: a, password: hunter2}"],
)
def test_what_is_no_list_of_meters_is_not_told_either(
    tmp_path: Path, meters: str
) -> None:
    path = tmp_path / "meters.yaml"
    path.write_text(f"schema: 1\nmeters: {meters}\n")

    with pytest.raises(UsageError, match="meters") as caught:
        read_meters(path)

    assert "hunter2" not in caught.value.message


def test_a_single_meter_needs_no_list(tmp_path: Path) -> None:
    path = tmp_path / "meters.yaml"
    path.write_text("schema: 1\nmeters: {name: a, kind: csv, path: /a.csv}\n")

    (meter,) = read_meters(path)

    assert meter.name == "a"


def test_a_path_may_begin_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    line = "{name: a, kind: csv, path: ~/wt310.csv}"

    (meter,) = read_meters(written(tmp_path, line))

    assert meter.options["path"] == "/home/me/wt310.csv"


def test_a_home_of_nobody_is_a_fault_of_the_file(tmp_path: Path) -> None:
    line = "{name: a, kind: csv, path: ~no-such-user-here/wt310.csv}"

    with pytest.raises(UsageError, match=r"meters\[0\].path: '~no-such-user-here"):
        read_meters(written(tmp_path, line))


def test_the_example_of_the_hint_is_a_sound_file(tmp_path: Path) -> None:
    path = tmp_path / "meters.yaml"
    path.write_text(EXAMPLE)

    (meter,) = read_meters(path)

    assert meter.kind == "shelly"


def test_the_file_lies_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("JOULEBENCH_METERS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    usual = meters_path()
    monkeypatch.setenv("JOULEBENCH_METERS", "/elsewhere/m.yaml")

    assert usual == tmp_path / "joulebench" / "meters.yaml"
    assert meters_path() == Path("/elsewhere/m.yaml")


def test_a_user_without_a_home_has_no_meters_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("JOULEBENCH_METERS", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nobody)

    assert not meters_path().exists()
