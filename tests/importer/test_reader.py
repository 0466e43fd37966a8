import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import reader
from importer.reader import read_dump, verify_dump
from spreadlake.binance.dumps import parse_name
from spreadlake.errors import InputError
from spreadlake.lake import TICKS_SCHEMA
from spreadlake.trades import COLUMNS
from tests.importer.dumps import (
    KLINES_HEADER,
    MIDNIGHT,
    TRADES_HEADER,
    kline_lines,
    trade_lines,
    trades,
    write_dump,
)

ROWS = trades(hours=2)
DAY = "BTCUSDT-aggTrades-2024-08-08"


def read(path: Path) -> pl.DataFrame:
    return pl.concat(read_dump(parse_name(path), lambda _: None))


@pytest.mark.parametrize("suffix", ["zip", "csv"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("microseconds", [True, False])
def test_every_form_of_a_dump_gives_the_same_trades(
    tmp_path: Path, suffix: str, header: bool, microseconds: bool
) -> None:
    path = write_dump(tmp_path, f"{DAY}.{suffix}", trade_lines(ROWS, header, microseconds))
    frame = read(path)
    assert frame.schema == TICKS_SCHEMA
    assert frame.rows() == [
        (*row, 3 * row.trade_id, 3 * row.trade_id + 2, None, None) for row in ROWS
    ]


PLAIN = "\n".join(trade_lines(ROWS))


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN + "\n\n\n",
        PLAIN.replace("\n", "\r\n") + "\r\n",
        "\ufeff" + PLAIN,
        "\ufeff" + PLAIN.partition("\n")[2],
        PLAIN.replace("true", "True").replace("false", "False"),
        PLAIN.replace("true", "TRUE").replace("false", "FALSE"),
        PLAIN.replace(",60000.0,", ",6e4,").replace(",0.001,", ",1E-3,"),
    ],
    ids=["no end", "blank end", "CRLF", "BOM", "BOM alone", "True", "TRUE", "6e4"],
)
def test_what_editors_and_scripts_make_of_a_dump_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / f"{DAY}.csv"
    path.write_bytes(text.encode())
    assert read(path).select(COLUMNS).rows() == [tuple(row) for row in ROWS]


@pytest.mark.parametrize("first", ["-1", str(2**53)])
def test_what_is_no_id_of_a_single_trade_is_not_known(tmp_path: Path, first: str) -> None:
    line = f"1,2.5,1,{first},7,{MIDNIGHT},true"
    frame = read(write_dump(tmp_path, f"{DAY}.csv", [line]))
    assert frame.select("first_trade_id", "last_trade_id").rows() == [(None, 7)]


def test_a_file_without_the_ids_of_single_trades_is_read(tmp_path: Path) -> None:
    lines = ["agg_trade_id,price,quantity,transact_time,is_buyer_maker", f"1,2.5,1,{MIDNIGHT},true"]
    frame = read(write_dump(tmp_path, f"{DAY}.csv", lines))
    assert frame.rows() == [("BTCUSDT", 1, MIDNIGHT, 2.5, 1.0, 1, None, None, None, None)]


@given(st.decimals("0.00000001", "999999", places=8))
def test_a_price_is_the_same_number_as_live(decimal: object) -> None:
    line = f"1,{decimal},1,1,1,{MIDNIGHT},true"
    with TemporaryDirectory() as folder:
        assert read(write_dump(Path(folder), f"{DAY}.csv", [line]))["price"][0] == float(
            str(decimal)
        )


def test_klines_come_with_the_time_in_seconds(tmp_path: Path) -> None:
    frame = read(write_dump(tmp_path, "BTCUSDT-1m-2024-08-08.zip", kline_lines(count=3)))
    assert frame["time"].to_list() == [MIDNIGHT // 1000 + 60 * n for n in range(3)]
    assert frame.row(1)[3:] == (
        60001.0, 60003.5, 60000.5, 60002.0, 12.5, 750000.5, 6.25, 91,
    )  # fmt: skip


def test_a_file_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "PIECE_BYTES", 4096)
    path = write_dump(tmp_path, f"{DAY}.zip", trade_lines(trades()))
    positions: list[int] = []
    frames = list(read_dump(parse_name(path), positions.append))
    assert sum(frame.height for frame in frames) == 1440
    assert max(frame.height for frame in frames) < 100
    assert positions == sorted(positions)
    # The bar ends at the whole of the file, with the zip's directory behind its records.
    assert 0 < positions[0] <= positions[-1] == path.stat().st_size


def test_a_header_alone_is_a_day_without_trades(tmp_path: Path) -> None:
    path = write_dump(tmp_path, f"{DAY}.csv", [TRADES_HEADER])
    assert list(read_dump(parse_name(path), lambda _: None)) == []


GOOD = trade_lines(ROWS[:2], header=False)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([*GOOD, "3,abc,1,1,1,1723075200000,true"], "column price: Row #3: .*'abc'"),
        ([*GOOD, "3,1.5,1,1,1,1723075200000,perhaps"], "column is_buyer_maker: Row #3"),
        ([*GOOD, "3,,1,1,1,1723075200000,true"], "column price: Row #3"),
        ([*GOOD, "3,1.5,1"], "Row #3: Expected 7 columns, got 3"),
        ([*GOOD, "3,nan,1,1,1,1723075200000,true"], "price NaN|price nan"),
        ([*GOOD, "3,-1.5,1,1,1,1723075200000,true"], "price -1.5"),
        ([*GOOD, "3,1.5,-0.1,1,1,1723075200000,true"], "qty -0.1"),
        ([*GOOD, "3,0,1.5,1,1,1723075200000,true"], "price 0.0"),
        ([*GOOD, "-3,1.5,1,1,1,1723075200000,true"], "trade_id -3"),
        ([*GOOD, "3,1.5,1,1,1,1723075200,true"], "cannot be of 2024-08-08 .* time_ms 1723075200"),
        ([*GOOD, '3,"1.5,1,1,1,1723075200000,true', *GOOD], "column price: Row #3: .*'\"1.5'"),
        ([*GOOD, "3,\0,1,1,1,1723075200000,true"], "column price: Row #3: .*'\ufffd'"),
        ([*GOOD, "3,1" + "0" * 9_000_000], "a line is longer than 1,048,576 bytes"),
        ([*GOOD, TRADES_HEADER], "column agg_trade_id: Row #3"),
        ([TRADES_HEADER.replace("price", "cost")], "the header names no column price: it is "),
        ([f"{TRADES_HEADER},price"], "the header names more than one column price"),
        ([f"{TRADES_HEADER},is_best_match"], "a dump of the spot market"),
        ([f"{GOOD[0]},0.5"], "without a header nothing tells which of them is which: put one"),
        (["", *GOOD], "1 column in the first line"),
        (["what,is,this,file,made,of,then"], "'what,is,.*', is neither a record nor a header"),
        (["1,2,3"], "3 columns in the first line, and aggTrades dumps have 7"),
        ([f"{GOOD[0]},true"], "a dump of the spot market"),
        ([KLINES_HEADER], "12 columns in the first line"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, lines: list[str], said: str) -> None:
    path = write_dump(tmp_path, f"{DAY}.csv", lines)
    with pytest.raises(InputError, match=said) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("1723075200000,60000.0,", "1723075200000,70000.0,"), "open 70000.0"),
        (("1723075200000,", "1723075230000,"), "time_ms 1723075230000"),
        (("12.5", "-12.5"), "volume -12.5"),
    ],
)
def test_a_kline_that_cannot_be_is_refused(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    lines = [line.replace(*change) for line in kline_lines(count=1)]
    with pytest.raises(InputError, match=said):
        read(write_dump(tmp_path, "BTCUSDT-1m-2024-08-08.csv", lines))


def test_a_damaged_zip_is_found_before_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / f"{DAY}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("x.csv", "\n".join(trade_lines(ROWS)))
    path.write_bytes(path.read_bytes().replace(b"60000.0,", b"60001.0,", 1))
    with pytest.raises(InputError, match="is damaged: Bad CRC-32"):
        verify_dump(parse_name(path), lambda _: None)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"1,2,3"])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"{DAY}.zip"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is damaged: .*download it again"):
        verify_dump(parse_name(path), lambda _: None)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / f"{DAY}.csv"
    path.touch()
    with pytest.raises(InputError, match="is empty"):
        read(path)


@pytest.mark.parametrize(
    ("member", "fits"),
    [
        (f"{DAY}.csv", True),
        ("some/where/x.csv", True),
        ("ETHUSDT-aggTrades-2024-08-08.csv", False),
        ("BTCUSDT-aggTrades-2024-08-09.csv", False),
    ],
)
def test_a_zip_and_what_is_in_it_have_one_name(tmp_path: Path, member: str, fits: bool) -> None:
    path = tmp_path / f"{DAY}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "\n".join(GOOD))
    if fits:
        assert read(path).height == 2
        return
    with pytest.raises(InputError, match=f"holds {member}: one of the two names is wrong"):
        read(path)


def test_a_zip_holds_one_csv(tmp_path: Path) -> None:
    path = tmp_path / f"{DAY}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("b.csv", "2")
    with pytest.raises(InputError, match="holds 2 CSV files; a dump holds one: unpack it"):
        read(path)
