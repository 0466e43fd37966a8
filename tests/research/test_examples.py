"""The examples in the docstrings of what people import run, and give what is shown."""

import doctest
import inspect
from pathlib import Path
from types import FunctionType

import polars as pl
import pytest

import spreadlake
from spreadlake.research.backtests.pair import Backtest
from spreadlake.research.lake_portfolio import Portfolios
from spreadlake.research.open_lake import OpenLake

PUBLIC = [
    spreadlake.open,
    spreadlake.sample,
    Backtest.plot,
    *(
        one
        for name, one in {**vars(Portfolios), **vars(OpenLake)}.items()
        if isinstance(one, FunctionType) and name[0] != "_"
    ),
]


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__qualname__)
def test_each_has_an_example_that_runs(
    public: FunctionType, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.getbasetemp() / "examples"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    lake = spreadlake.sample(folder / "data")
    monkeypatch.chdir(folder)
    known = {"spreadlake": spreadlake, "lake": lake, "pl": pl, "Path": Path}
    if public is Backtest.plot:
        pytest.importorskip("plotly", reason="needs plotly: make install")
    text = inspect.getdoc(public)
    assert text is not None
    example = doctest.DocTestParser().get_doctest(text, known, public.__name__, None, 0)
    assert example.examples, "without an example"
    assert not any(doctest.SKIP in one.options for one in example.examples)
    told: list[str] = []
    doctest.DocTestRunner(verbose=False).run(example, out=told.append)
    assert not told, "".join(told)
