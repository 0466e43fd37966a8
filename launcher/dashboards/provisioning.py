"""Grafana's provisioning with links that it cannot expand itself.

On its page of a rule Grafana shows the annotations as they are written, and a link that begins
with `{{ externalURL }}` is no link there; so the address stands in it. In docker compose the
entrypoint of Grafana does the same. Who mounts the folder as it is has the words, which Grafana
expands in each message.
"""

import re
import shutil
from pathlib import Path

_LINK = re.compile(r"^( *runbook_url: '?)\{\{ externalURL \}\}", re.MULTILINE)
_RULES = Path("alerting") / "rules.yaml"


def with_links(source: Path, target: Path, root_url: str) -> Path:
    """A copy of the folder `source` at `target`, for a Grafana at `root_url`; returns `target`."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    if root_url.startswith("http"):
        rules = target / _RULES
        address = root_url.rstrip("/") + "/"
        text = _LINK.sub(lambda match: match[1] + address, rules.read_text("utf-8"))
        rules.write_text(text, "utf-8")
    return target
