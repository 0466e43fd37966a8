"""Funding rates as the exchange writes them."""

import msgspec
import pytest

from spreadlake.binance.funding_rates import decode_funding, funding
from spreadlake.funding import FundingRate

AT = 1_698_768_000_007


def record(**fields: object) -> dict[str, object]:
    known = {"symbol": "BTCUSDT", "fundingTime": AT, "fundingRate": "-0.00012500"}
    return {**known, "markPrice": "34287.54619963", **fields}


def test_the_request_asks_for_a_page_from_a_time_on() -> None:
    of_one = funding("BTCUSDT", 5, 9)
    assert of_one.path == "/fapi/v1/fundingRate"
    parameters = {"symbol": "BTCUSDT", "startTime": 5, "endTime": 9, "limit": 1000}
    assert of_one.parameters == parameters
    assert funding(None, 5).parameters == {"startTime": 5, "limit": 1000}


@pytest.mark.parametrize("price", ["", None, "0.00000000", 0, "absent"])
def test_a_mark_price_that_is_not_told_is_none(price: object) -> None:
    one = record(markPrice=price)
    if price == "absent":
        del one["markPrice"]
    page = decode_funding(msgspec.json.encode([one]), "BTCUSDT")
    assert page.rates == [FundingRate("BTCUSDT", AT, -0.000125, None)]
    assert not page.refused


def test_what_cannot_be_a_rate_is_refused_in_words_and_costs_only_itself() -> None:
    wrong = [
        record(fundingRate="x"), record(fundingRate="nan"), record(fundingRate="1.5"),
        record(fundingTime=-1), record(fundingTime="soon"), record(markPrice="-3"),
        record(markPrice="cheap"), record(symbol="ETHUSDT"), record(symbol=""), 7,
    ]  # fmt: skip
    earlier = record(fundingTime=AT - 8)
    page = decode_funding(msgspec.json.encode([record(), *wrong, earlier]), "BTCUSDT")
    good = FundingRate("BTCUSDT", AT, -0.000125, 34287.54619963)
    assert page.rates == [good._replace(time_ms=AT - 8), good]
    assert page.records == len(wrong) + 2
    assert len(page.refused) == len(wrong)
    assert all("fundingRate" in said or said.startswith("7: ") for said in page.refused)
    assert [said for said in page.refused if said.endswith("it is not of BTCUSDT")]


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"code":-1121,"msg":"no"}', b"[1"])
def test_what_is_no_list_is_an_error(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_funding(body, None)
