"""What another user's lake answers: whose it is, and what to do; and what root leaves in it."""

import errno
import os
from pathlib import Path

import pytest

from launcher.commands.app import explain_system_error
from spreadlake.config import find_config
from spreadlake.lake import Lake
from spreadlake.lake.added_pairs import added, changing_added
from spreadlake.pairs import parse_pair

STRANGER = 54321


def test_whose_it_is_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    there, missing = tmp_path / "ticks.db", tmp_path / "new" / "ticks.db"
    there.touch()
    owner = there.owner()
    refused = [PermissionError(errno.EACCES, "x", str(path)) for path in (there, missing)]
    assert f"though it is {owner}'s own; change its mode" in str(explain_system_error(refused[0]))
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    told, beside = (str(explain_system_error(error)) for error in refused)
    assert told.startswith(f"{there}: user {STRANGER} may not do that")
    assert f"it belongs to {owner}, group {there.group()}; go on as {owner} (sudo -u" in told
    assert f"as {tmp_path} belongs to {owner}" in beside
    monkeypatch.setattr("launcher.commands.refusals._user", str)
    assert f"(sudo -u '#{there.stat().st_uid}')" in str(explain_system_error(refused[0]))


def test_a_folder_that_may_not_be_looked_into_has_no_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuses(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuses)
    assert find_config(None) is None
    assert find_config(tmp_path) == tmp_path


def test_what_root_adds_is_the_owners_to_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: dict[int, tuple[int, int]] = {}

    def fchown(file: int, user: int, group: int) -> None:
        given[os.fstat(file).st_ino] = user, group

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", fchown)
    with changing_added(Lake(tmp_path)) as held:
        held.append(added(parse_pair("BTCUSDT/ETHUSDT"), 0.0))
    owner = tmp_path.stat()
    ours = owner.st_uid, owner.st_gid
    made = tmp_path / "pairs.lock", tmp_path / "pairs.json"
    assert given == {path.stat().st_ino: ours for path in made}
