"""What the system refuses a user, in words: whose the file is, and what to do."""

import grp
import os
import pwd
from pathlib import Path


def explain_refused(path: str) -> str:
    """One line on a file or folder that this user may not read or write."""
    me = _user(os.geteuid())
    found = _nearest(Path(path))
    if found is None:
        return f"{path}: user {me} may not do that; go on as its owner, or choose another folder"
    place, stat = found
    owner, group = _user(stat.st_uid), _group(stat.st_gid)
    whose = "it" if place == Path(path) else str(place)
    if owner == me:
        return (
            f"{path}: user {me} may not do that, though {whose} is {me}'s own; change its mode "
            "(chmod u+rwX), or choose another folder"
        )
    sudo = f"'#{owner}'" if owner.isdigit() else owner  # of another system, say a container's
    return (
        f"{path}: user {me} may not do that, as {whose} belongs to {owner}, group {group}; go on "
        f"as {owner} (sudo -u {sudo}), to read join that group, or choose another folder"
    )


def _nearest(path: Path) -> tuple[Path, os.stat_result] | None:
    """The path, or the first of the folders above it that may be looked at."""
    for place in (path, *path.absolute().parents):
        try:
            return place, place.stat()
        except OSError:
            continue
    return None


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
