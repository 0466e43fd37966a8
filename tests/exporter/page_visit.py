"""A visit of the page by a real browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, expect

from tests.patience import PATIENCE

PATIENCE_MS = 1000 * PATIENCE
FIGURES = ("prices", "spread", "zscore", "correlation")
KEPT = "?a=BTCUSDT&b=ETHUSDT&timeframe=1s&window=60&lookback=300&threshold=2"
_PAINTED = """canvas => {
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return pixels.some((value, at) => at % 4 === 3 && value > 0);
}"""

expect.set_options(timeout=PATIENCE_MS)  # of its own it waits for 5 s


@dataclass
class Visit:
    """A visit of the page, and what went wrong on it or was asked of somebody else."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


@contextmanager
def visiting(
    browser: Browser, address: str, query: str = "", width: int = 1600, dark: bool = False
) -> Iterator[Visit]:
    page = browser.new_page(
        viewport={"width": width, "height": 1000},
        color_scheme="dark" if dark else "light",
        accept_downloads=True,
    )
    page.set_default_timeout(PATIENCE_MS)
    visit = Visit(page, address)
    page.on("console", lambda told: visit.complaints.append(told.text))
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on(
        "request",
        lambda asked: (
            None if asked.url.startswith(f"{address}/") else visit.outside.append(asked.url)
        ),
    )
    page.goto(f"{address}/{query}")
    try:
        yield visit
    finally:
        page.close()
    assert visit.outside == []


def tile(page: Page, name: str) -> str:
    return (
        page.locator("#tiles div", has=page.locator("dt", has_text=re.compile(f"^{name}$")))
        .locator("dd")
        .inner_text()
    )


def expect_drawn(page: Page) -> None:
    for name in FIGURES:
        canvas = page.locator(f"#{name} canvas")
        expect(canvas).to_be_visible()
        assert canvas.evaluate(_PAINTED), name
