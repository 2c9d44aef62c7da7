import subprocess
import sys

import pytest

from harness.contracts import Card
from harness.registry import load
from workloads.cards import CARDS
from workloads.sources import SOURCES

METHODS = ("prepare", "total_steps", "warm", "step", "evaluate", "facts", "doubts")


@pytest.mark.parametrize("card", CARDS.values(), ids=list(CARDS))
def test_a_card_describes_itself(card: Card) -> None:
    assert CARDS[card.name] is card
    assert card.about
    assert card.dataset in SOURCES
    assert 0 < card.floor < 1
    for option in (card.options or {}).values():
        assert option.about
        assert not option.choices or option.default in option.choices


@pytest.mark.parametrize("card", CARDS.values(), ids=list(CARDS))
def test_a_card_loads_a_workload(card: Card) -> None:
    workload = load(card.load)()
    assert all(callable(getattr(workload, name)) for name in METHODS)


def test_planning_imports_no_torch() -> None:
    code = (
        "import sys, workloads.cards, workloads.precisions, workloads.weights, "
        "workloads.datasets\n"
        "sys.exit(', '.join({'torch', 'transformers', 'pandas', 'pyarrow'}"
        " & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
