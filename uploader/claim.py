"""To whom a place in a bucket belongs: two lakes in one place would overwrite each other's days."""

import json
import uuid

from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.objects import Objects
from uploader.ledger import Ledger

MARK = "lake.json"
"""Beside the folders of the lake, in the bucket alone."""


def settle(lake: Lake, ledger: Ledger, address: ColdAddress) -> str:
    """The id of this lake, once `cold.db` is of this address; LakeError where it is of another.

    With another address all begins anew, where nothing is in the old bucket alone.
    """
    before = ledger.said("address")
    if before is not None and before != address.text:
        gone = [p for p in ledger.under("", "\U0010ffff") if not (lake.root / p).exists()]
        if gone:
            raise LakeError(
                f"{len(gone)} files of lake {lake.root} are in {before} alone, and storage.cold "
                f"says {address.text}; set it back"
            )
        ledger.begin_anew()
    name = ledger.said("lake") or uuid.uuid4().hex
    if before != address.text or ledger.said("lake") is None:
        ledger.say(address=address.text, lake=name)
    return name


def claim(objects: Objects, address: ColdAddress, name: str) -> None:
    """Marks the place as this lake's; LakeError where it is another's."""
    mark = json.dumps({"lake": name}).encode()
    if owner_of(objects) is None:
        objects.put_new(MARK, mark)
    owner = owner_of(objects)
    if owner != name:
        raise LakeError(
            f"{address.text} is the cold part of another lake (its {MARK} says {owner}); name "
            "another prefix in storage.cold. Where it is this one's, and its cold.db was lost: "
            "spreadlake upload --recover. Where the other lake is gone for good, and nothing of it "
            f"is wanted: delete {MARK} there"
        )


def owner_of(objects: Objects) -> str | None:
    """The id of the lake that a place belongs to; None where it is nobody's."""
    found = objects.get(MARK)
    if found is None:
        return None
    try:
        return str(json.loads(found)["lake"])
    except (ValueError, KeyError, TypeError):
        return "nothing that can be read"
