"""Makes the pictures of the dashboards and of the page from the demo, so that they stay true.

python -m docs.pictures [FOLDER [NAME...]]     into docs/ or another folder; all, or those named

The demo runs on a lake of its own with a fixed seed, twenty times as fast as time goes by (for the
pipeline's own numbers as fast as it), and a real browser looks at what a real Grafana draws. It
needs Grafana with its SQLite data source, Prometheus and Chromium on PATH.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from launcher.dashboards import find_executables
from spreadlake.errors import ConfigError, SpreadlakeError
from spreadlake.lake import Lake, open_reader
from spreadlake.ports import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

FOLDER = Path(__file__).parent
MOST_BYTES = 300_000
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_SPEED = 20
_LIVE_SECONDS = 300
_MINUTES = 30  # of the simulated market, before pictures are taken
_PATIENCE = 900.0  # s, on a busy machine
_PAIR = "BTCUSDT/ETHUSDT"
_BACKTEST = ("--timeframe", "1s", "--fee-bps", "0.1", "--stop", "5")
_CONFIGURATION = """symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT"]
pairs = "all"
[screen]
enabled = true
[exporter]
port = {port}
"""


class Picture(NamedTuple):
    """What is looked at: a path of Grafana, or of the page; `panel` is the title of one panel.

    What is `live` is of a demo as fast as time goes by: its ages and rates are those of a real one.
    """

    name: str
    path: str
    width: int = 1600
    height: int = 1000
    dark: bool = True
    panel: str = ""
    minutes: int = 15
    live: bool = False


_OF_PAIR = (
    "/d/spreadlake-pair?var-symbol_a=BTCUSDT&var-symbol_b=ETHUSDT&var-timeframe=1s&var-window=60"
    "&var-lookback=300&var-threshold=2&var-prices=raw"
)
_READ = {
    "reading-tiles": "z · ",
    "reading-statistics": "Hedge and mean reversion",
    "reading-z": "z-score",
    "reading-prices": "Prices from 100",
    "reading-spread": "Spread of",
    "reading-beta": "Hedge ratio",
    "reading-correlation": "Correlation",
    "reading-alerts": "Alerts of",
}
PICTURES = (
    Picture("page", "/", height=900, dark=False),
    Picture("dashboard-pair", _OF_PAIR, height=1000),
    Picture("dashboard-overview", "/d/spreadlake-overview?var-timeframe=1s", height=1000),
    Picture("dashboard-screen", "/d/spreadlake-screen?", height=1000, minutes=30),
    Picture("dashboard-pipeline", "/d/spreadlake-pipeline?", height=1000, live=True),
    Picture("dashboard-backtest", "/d/spreadlake-backtest?var-backtest=demo", height=1000),
    *(Picture(name, _OF_PAIR, 1200, 2400, False, title) for name, title in _READ.items()),
)


def missing() -> str:
    """What has to be installed first, in a line; empty where all is there."""
    try:
        find_executables()
    except ConfigError as error:
        return str(error)
    if _chromium() is None:
        return "the pictures need chromium on PATH (Debian: apt install chromium)"
    try:
        import playwright.sync_api  # noqa: F401, PLC0415 a development tool
    except ImportError:
        return "the pictures need playwright: make install"
    return ""


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, _CHROMIUM)), None)


class Demo(NamedTuple):
    """A demo that runs: where Grafana and the page are, and the times (ms) that are looked at.

    `end` is the newest bar's, `tested` the span of the back-test that is kept.
    """

    grafana: str
    page: str
    end: int
    tested: tuple[int, int]


@contextmanager
def running_demo(root: Path, *, live: bool) -> Iterator[Demo]:
    """The demo with Grafana, from when there is enough to look at."""
    port = free_port()
    (root / "pictures.toml").write_text(_CONFIGURATION.format(port=port), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "spreadlake"]
    arguments = ["demo", "--grafana", "--data", "lake", "--config", "pictures.toml"]
    watched = free_port()
    variables = {"GF_USERS_DEFAULT_LANGUAGE": "en-US", "GF_SERVER_HTTP_PORT": str(watched)}
    with (root / "out.txt").open("w", encoding="utf-8") as out:
        demo = subprocess.Popen(  # noqa: S603 our own command
            [*command, *arguments, "--speed", "1" if live else str(_SPEED), "--seed", "1"],
            cwd=root,
            env=os.environ | variables,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            lake = Lake(root / "lake")
            least, begun = (1 if live else _MINUTES), time.monotonic()
            _wait_for(lambda: _minutes(lake) >= least, "enough of the market", demo)
            while live and time.monotonic() < begun + _LIVE_SECONDS:
                time.sleep(1)
            subprocess.run(  # noqa: S603 our own command
                [*command, "backtest", "--pair", _PAIR, *_BACKTEST, "--keep", "demo"],
                cwd=root,
                env=os.environ | {"SPREADLAKE_DATA": "lake"},
                check=True,
                stdout=subprocess.DEVNULL,
            )
            yield demo_on(lake, f"http://127.0.0.1:{watched}", f"http://127.0.0.1:{port}")
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(120)


def _minutes(lake: Lake) -> float:
    """Of 1s bars, once there is a screen too."""
    try:
        with closing(open_reader(lake.analytics_db)) as db:
            screened = db.execute("SELECT count(*) FROM screens").fetchone()[0]
            row = db.execute("SELECT (max(time) - min(time)) / 60.0 FROM bars WHERE timeframe='1s'")
            return float(row.fetchone()[0] or 0) if screened > 1 else 0.0
    except (sqlite3.Error, SpreadlakeError):
        return 0.0


def demo_on(lake: Lake, grafana: str, page: str) -> Demo:
    """What there is to look at now: the simulated market is ahead of this machine's clock."""
    with closing(open_reader(lake.analytics_db)) as db:
        (last,) = db.execute("SELECT max(time) FROM bars WHERE timeframe = '1s'").fetchone()
    with closing(open_reader(lake.backtests_db)) as db:
        span = db.execute("SELECT first_time, last_time FROM backtests").fetchone()
    return Demo(grafana, page, (int(last) + 1) * 1000, (1000 * span[0], 1000 * span[1]))


def _wait_for(reached: Callable[[], bool], what: str, demo: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _PATIENCE
    while not reached():
        if demo.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"the demo does not come to {what}")
        time.sleep(1)


def take(demo: Demo, folder: Path, pictures: Iterable[Picture] = PICTURES) -> None:
    """Takes the pictures, all of the same minutes."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 a development tool

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=_chromium(), args=arguments)
        for picture in pictures:
            page = browser.new_page(
                viewport={"width": picture.width, "height": picture.height},
                color_scheme="dark" if picture.dark else "light",
                locale="en-US",
            )
            page.set_default_timeout(180_000)
            page.goto(_address(demo, picture))
            _settle(page)
            path = folder / f"{picture.name}.png"
            if picture.panel:
                _panel(page, picture.panel).screenshot(path=path)
            else:
                page.screenshot(path=path)
            shrink(path)
            page.close()
        browser.close()


def _address(demo: Demo, picture: Picture) -> str:
    since, end = demo.end - 60_000 * picture.minutes, demo.end
    if picture.path == "/":
        a, b = _PAIR.split("/")
        series = f"a={a}&b={b}&timeframe=1s&window=60&lookback=300&threshold=2"
        return f"{demo.page}/?{series}"
    if "backtest" in picture.path:
        since, end = demo.tested
    if "pipeline" in picture.path:  # of Prometheus, which goes by the clock of this machine
        end = round(1000 * time.time())
        since = end - 1000 * _LIVE_SECONDS
    theme = "dark" if picture.dark else "light"
    return f"{demo.grafana}{picture.path}&from={since}&to={end}&theme={theme}&kiosk&refresh=1h"


def _settle(page: "Page") -> None:
    """Until all is drawn: panels are there, and none loads any more for some seconds."""
    page.locator("[data-testid^='data-testid Panel header'], canvas").first.wait_for(
        state="attached"
    )
    quiet = 0
    for _ in range(90):
        page.wait_for_timeout(1000)
        loading = page.locator("[aria-label='Panel loading bar'], .loading").count()
        quiet = 0 if loading else quiet + 1
        if quiet == 6:
            return


def _panel(page: "Page", title: str) -> "Locator":
    """The panel whose title begins so, as Grafana marks it for tests."""
    found = page.locator(f'section[data-testid^="data-testid Panel header {title}"]')
    return found.first


def shrink(path: Path) -> None:
    """The same with at most 256 colours, which a drawn picture has few more of."""
    from PIL import Image  # noqa: PLC0415 matplotlib brings it

    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    if (size := path.stat().st_size) > MOST_BYTES:
        raise SystemExit(f"{path} has {size:,} bytes, which is more than {MOST_BYTES:,}")


def main() -> int:
    """Exit code 1, with one line, where something is not installed."""
    if told := missing():
        sys.stderr.write(f"pictures: {told}\n")
        return 1
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    chosen = [one for one in PICTURES if one.name in sys.argv[2:] or not sys.argv[2:]]
    for live in (False, True):
        pictures = [one for one in chosen if one.live == live]
        if pictures:
            with tempfile.TemporaryDirectory() as root, running_demo(Path(root), live=live) as demo:
                take(demo, folder, pictures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
