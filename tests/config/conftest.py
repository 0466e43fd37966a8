"""No variable of whoever runs the tests reaches the settings."""

import os

import pytest


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("SPREADLAKE_"):
            monkeypatch.delenv(name)
