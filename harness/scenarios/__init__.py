"""How items come to a model in the window: MLPerf Inference's scenarios, and a curve.

One module each; importing them imports neither torch nor numpy.
"""

from collections.abc import Mapping

from harness.bench import Scenario
from harness.records import PLAIN_SCENARIO, Configuration, Phase
from harness.scenarios import load_curve, offline, server, single_stream

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        offline.SCENARIO,
        single_stream.SCENARIO,
        server.SCENARIO,
        load_curve.SCENARIO,
    )
}


def unsupported(configuration: Configuration) -> str | None:
    """Why a configuration cannot be run in its scenario; None where it can."""
    name = configuration.scenario
    if configuration.phase is Phase.TRAIN and name != PLAIN_SCENARIO:
        return f"a training is work to be done; {name} is a scenario of inference"
    return SCENARIOS[name].refuse(configuration)
