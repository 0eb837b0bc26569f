"""A real browser for pages, and axe-core, which looks for what shuts people out of them."""

import importlib.util
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator:
    """Start Chromium without a window; the test is skipped where there is none."""
    pytest.importorskip("selenium", reason="selenium is not installed")
    from selenium import webdriver

    binary = next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no chromium or chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    # Containers run as root, where Chromium has no sandbox, and with little shared memory.
    for word in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def show(browser, page: Path, *, width: int = 1200, dark: bool = False) -> None:
    """Load a page into a window of a width in pixels, in light or dark."""
    from selenium.webdriver.support.ui import WebDriverWait

    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    address = page.resolve().as_uri()
    browser.get("about:blank")  # loading one address again may return while the old page goes
    browser.get(address)
    loaded = "return location.href === arguments[0] && document.readyState === 'complete'"
    WebDriverWait(browser, 30).until(lambda one: one.execute_script(loaded, address))


def axe_source(folder: Path) -> str:
    """Give axe-core's script: the newest of npm, or else what axe-core-python brings."""
    packed = _packed(folder)
    if packed is not None:
        with tarfile.open(packed) as archive:
            script = archive.extractfile("package/axe.min.js")
            assert script is not None
            return script.read().decode("utf-8")
    found = importlib.util.find_spec("axe_core_python")
    if found is None or found.origin is None:
        pytest.skip("axe-core is not there: neither npm nor axe-core-python gives it")
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def _packed(folder: Path) -> Path | None:
    if shutil.which("npm") is None:
        return None
    command = ["npm", "pack", "axe-core@4", "--silent", "--fetch-retries=0"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=30
        )
    except subprocess.TimeoutExpired:
        return None
    packed = folder / done.stdout.strip()
    return packed if done.returncode == 0 and packed.is_file() else None
