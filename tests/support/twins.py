"""Modules that have a twin in Cython's own language, as plain Python."""

import importlib.util
from pathlib import Path
from types import ModuleType


def plain_twin(module: ModuleType) -> ModuleType:
    """The module's `.py` file itself, also where the compiled one comes first."""
    path = Path(str(module.__file__)).parent / f"{module.__name__.rpartition('.')[2]}.py"
    spec = importlib.util.spec_from_file_location(f"plain_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    return plain
