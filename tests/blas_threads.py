"""How many threads the BLAS of numpy and scipy in this process has, as they say themselves."""

import ctypes
from pathlib import Path

_NAMES = [
    f"{before}openblas_get_num_threads{after}" for before in ("scipy_", "") for after in ("64_", "")
]


def blas_threads() -> list[int]:
    """Threads of each OpenBLAS that is loaded; empty where there is none, or no /proc."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text(encoding="utf-8").splitlines() if maps.exists() else []
    paths = {line.split(maxsplit=5)[-1] for line in lines if "openblas" in line}
    libraries = [ctypes.CDLL(path) for path in sorted(paths)]
    return [
        int(getattr(library, name)())
        for library in libraries
        for name in _NAMES
        if hasattr(library, name)
    ]
