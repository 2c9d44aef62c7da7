"""A trial waits for a cool and quiet machine, and says what it got."""

from harness.jobs import Protocol
from harness.metering import Moment
from harness.quiet import NO_SENSOR, wait
from tests.fakes import FakeClock

WAITS = Protocol(cooldown_max_s=60.0, load_wait_s=30.0)


class Machine:
    """Cools by half a degree a second from 60 C; others work for a while."""

    def __init__(self, clock: FakeClock, busy_s: float = 0.0) -> None:
        self.clock = clock
        self.busy_s = busy_s
        self.looks = 0
        self.has_sensor = True

    def moment(self) -> Moment:
        self.looks += 1
        now_s = self.clock.now_ns() / 1e9
        heat = {"cpu": max(40.0, 60.0 - now_s / 2)} if self.has_sensor else {}
        return Moment(heat, 0.5 if now_s < self.busy_s else 0.01, None)


def test_it_waits_until_the_sensor_is_within_the_band() -> None:
    clock = FakeClock()

    before = wait(Machine(clock), WAITS, {"cpu": 40.0}, clock)

    assert before is not None
    assert before.cooldown_s == 34.0
    assert before.above_idle_c == 3.0
    assert before.unmet == ()


def test_it_waits_for_others_and_then_goes_on_with_a_doubt() -> None:
    clock = FakeClock()

    before = wait(Machine(clock, busy_s=1e9), WAITS, {}, clock)

    assert before is not None
    assert before.load_wait_s == 30.0
    assert before.unmet == ("others used 50% of the cores",)


def test_a_machine_that_stays_hot_is_said_to_be() -> None:
    clock = FakeClock()

    before = wait(Machine(clock), WAITS, {"cpu": 20.0}, clock)

    assert before is not None
    assert before.cooldown_s == 60.0
    assert before.unmet == ("a sensor was 20 C above idle",)


def test_without_a_sensor_there_is_nothing_to_wait_for_and_it_says_so() -> None:
    clock = FakeClock()
    machine = Machine(clock)
    machine.has_sensor = False

    before = wait(machine, WAITS, {}, clock)

    assert before is not None
    assert (before.cooldown_s, before.above_idle_c) == (0.0, None)
    assert before.reason == NO_SENSOR


def test_a_protocol_without_waits_does_not_even_look() -> None:
    machine = Machine(FakeClock())

    assert wait(machine, Protocol(), {}, machine.clock) is None
    assert machine.looks == 0
