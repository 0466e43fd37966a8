"""Addresses of buckets: what is taken, what is refused, and that no secret is repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreadlake.lake.cold.address import ColdAddress, is_cold_address

PARTS = st.text("abcXYZ019-_.=", min_size=1, max_size=8).filter(lambda part: part.strip("."))


@given(st.lists(PARTS, max_size=3), st.lists(PARTS, min_size=1, max_size=4))
def test_a_key_says_the_path_again(prefix: list[str], path: list[str]) -> None:
    address = ColdAddress.parse("/".join(["s3://some-bucket", *prefix]))
    name = "/".join(path)
    assert address.path(address.key(name)) == name
    assert address.url(name) == f"s3://some-bucket/{address.key(name)}"
    assert ColdAddress.parse(address.text) == address == ColdAddress.parse(address.text + "/")


def test_a_key_of_another_prefix_is_none_of_ours() -> None:
    assert ColdAddress("bucket", "lake").path("lake2/ticks/day.parquet") is None


@pytest.mark.parametrize(
    "text",
    ["", "bucket", "data", "s3:", "s3://", "s3:///x", "s3://B", "s3://a b/c", "https://host/bucket",
     "s3://bucket/a//b", "s3://bucket/../x", "s3://bucket/a b", "s3://bucket/x?y"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="s3://"):
        ColdAddress.parse(text)


def test_what_a_bucket_may_be_called_is_told() -> None:
    with pytest.raises(ValueError, match="its name has 3 to 63 lower-case letters, digits"):
        ColdAddress.parse("s3://b/lake")


def test_a_secret_in_an_address_is_not_said_again() -> None:
    with pytest.raises(ValueError, match="AWS_ACCESS_KEY_ID") as caught:
        ColdAddress.parse("s3://KEY:SECRET@bucket/lake")
    assert "SECRET" not in str(caught.value)


def test_a_folder_is_no_address() -> None:
    assert is_cold_address("s3://bucket/x")
    assert not is_cold_address("data/s3")
