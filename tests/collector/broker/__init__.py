"""Tests of the log, against a real Redis server; skipped where its client is not installed."""

import pytest

pytest.importorskip("redis", reason="the client of Redis is not installed: make install")
