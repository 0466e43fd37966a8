"""How long the tests wait for what must come: a bound on hanging, never a measure of speed.

One unit for all of them. `TESTS_PATIENCE=3 make test` waits three times as long, where a machine
needs it; what comes sooner is never waited for.
"""

import os

__all__ = ["FACTOR", "PATIENCE", "SOAK_SECONDS", "TEST_SECONDS"]

FACTOR = float(os.environ.get("TESTS_PATIENCE", "1"))
# Seconds for any one thing to happen: a process to end, a server to answer, a row to be there.
PATIENCE = 240.0 * FACTOR
# Seconds for a test as a whole, which may wait for several.
TEST_SECONDS = 900.0 * FACTOR
# The same for one that is long by its nature: twenty processes killed start twenty times.
SOAK_SECONDS = 7200.0 * FACTOR
