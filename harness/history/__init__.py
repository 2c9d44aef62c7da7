"""The history: an index of many runs in one database.

The run folders stay the truth; the index can be made from them again.
"""

from importlib.util import find_spec

from harness.errors import UsageError

if find_spec("sqlalchemy") is None:
    raise UsageError(
        "the history needs SQLAlchemy, which is not installed",
        hint="pip install 'joulebench[history]'",
    )
