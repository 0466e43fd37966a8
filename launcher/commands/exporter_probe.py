"""Asks the exporter itself how it is: it leaves nothing in the lake, which it only reads."""

import http.client
import json

from spreadlake.lake import Lake
from spreadlake.ports import address, reachable
from spreadlake.status import ServiceReport

_SECONDS = 1.0
_NAME = "exporter"


def probe_exporter(host: str, port: int, lake: Lake) -> ServiceReport:
    """Whether an exporter of this lake answers on the configured address."""
    where = address(host, port)
    connection = http.client.HTTPConnection(reachable(host), port, timeout=_SECONDS)
    try:
        connection.request("GET", "/healthz")
        served = json.loads(connection.getresponse().read())["lake"]
    except OSError:
        return ServiceReport(_NAME, "stopped", f"nothing answers on {where}")
    except (http.client.HTTPException, ValueError, KeyError, TypeError):
        return ServiceReport(_NAME, "stopped", f"something else than an exporter is on {where}")
    finally:
        connection.close()
    if served != str(lake.root.resolve()):
        return ServiceReport(_NAME, "stopped", f"the exporter on {where} serves {served}")
    return ServiceReport(_NAME, "running", f"http://{where}/metrics")
