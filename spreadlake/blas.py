"""One thread for linear algebra: our matrices are small, and threads of BLAS wait for each other.

On two busy cores a regression that takes 1.6 ms on one thread takes 56 ms on two. BLAS reads its
variables when numpy is first imported, so this module imports none of it.
"""

import os
from collections.abc import MutableMapping

# OpenBLAS (numpy's and scipy's wheels), what is built with OpenMP, MKL, and Apple's Accelerate.
BLAS_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def pin_blas_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """Gives BLAS one thread, in this process and in those it starts.

    Where any of the variables is set, it was somebody's choice, and all are left as they are.
    """
    if not any(environment.get(name) for name in BLAS_VARIABLES):
        environment.update(dict.fromkeys(BLAS_VARIABLES, "1"))
