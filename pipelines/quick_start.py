"""What makes a command begin sooner: Arrow without pandas.

Arrow looks for pandas when it makes its first array, which takes a second and 40 MB. Nothing in the lake or the sync
uses pandas; it is the analysts' door (warehouse/query.py), and Arrow looks again when it is asked for a DataFrame.
Does not belong here: anything that changes what a command does.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, _path: Any, _target: Any = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("not looked for yet", name=fullname)


def load_arrow_without_pandas() -> None:
    """To be called before the first array is made; later, or where pandas is there already, nothing happens."""
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        import pyarrow as pa

        pa.array([0])
    finally:
        sys.meta_path.remove(finder)
