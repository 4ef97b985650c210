"""A real browser, offline, and the real reports of one run in it.

Without Chromium or playwright the tests say so and are skipped; with OHLLM_BROWSER=required they
fail. OHLLM_ARTIFACTS names the folder that keeps the screenshots.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_ohllm.evidence.reader import read_run
from tests.conftest import NO_GATES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PROFILES = ("sim:rejects-temperature", "sim:content-list", "sim:bad-key", "sim")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
AXE = "axe-core@4.10.3"
_OURS = ("OHLLM_", "OPENHANDS_", "LLM_", "OH_", "PYTEST_", "GITHUB_")


def missing(what: str) -> NoReturn:
    """Skip, and say why; fail where the browser is required."""
    if os.environ.get("OHLLM_BROWSER") == "required":
        pytest.fail(f"OHLLM_BROWSER=required, and {what}")
    pytest.skip(f"no page was looked at: {what}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a file.

    Not of the session: as long as it is there, playwright's event loop counts as running in the
    main thread, and a later file's `asyncio.run` would be refused.
    """
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        missing("there is no Chromium (Debian: apt-get install chromium fonts-dejavu-core)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page in the browser, and what it did that it must not do."""

    page: Page
    context: BrowserContext
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note console errors, exceptions, and requests for anything but the file itself."""
        self.page.on("console", lambda said: self._said(said.type, said.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.errors.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.requests.append(url)


type Open = Callable[..., Tab]


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Open]:
    """Opens a file; whatever a test does with it, there is no error and no request."""
    tabs: list[Tab] = []

    def make(path: Path, **settings: Any) -> Tab:
        given: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, **settings}
        context = chromium.new_context(offline=True, **given)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        tab = Tab(context.new_page(), context)
        tab.watch()
        tabs.append(tab)
        tab.page.goto(path.as_uri())
        return tab

    yield make
    for tab in tabs:
        tab.context.close()
    assert [error for tab in tabs for error in tab.errors] == []
    assert [url for tab in tabs for url in tab.requests] == []


@dataclass(frozen=True)
class Reports:
    """What a real run has left: its page, and the report of pytest-html."""

    page: Path
    html: Path
    folder: Path


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Two runs, one after the other, so that there is a last one."""
    path = tmp_path_factory.mktemp("reports")
    _run(path, "--llm-profile=sim")
    _run(path, *(f"--llm-profile={name}" for name in PROFILES), "--html=html/report.html",
         "--self-contained-html")  # fmt: skip
    folder = max((path / ".ohllm/runs").iterdir(), key=lambda one: one.stat().st_mtime)
    assert len(read_run(folder).profiles) == len(PROFILES)
    return Reports(folder / "report.html", path / "html/report.html", folder)


def _run(path: Path, *arguments: str) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
    (path / "home").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", NO_GATES, "-q", *arguments],
        cwd=path,
        env=kept | {"HOME": str(path / "home")},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    chosen = os.environ.get("OHLLM_ARTIFACTS")
    path = Path(chosen) if chosen else tmp_path_factory.mktemp("screenshots")
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="session")
def axe(pytestconfig: pytest.Config) -> str:
    """The source of axe-core, from the npm registry; kept in pytest's cache."""
    assert pytestconfig.cache is not None
    folder = Path(pytestconfig.cache.mkdir(AXE.replace("@", "-")))
    source = folder / "node_modules/axe-core/axe.min.js"
    if not source.is_file():
        npm = shutil.which("npm")
        if npm is None:
            missing("there is no npm to install axe-core (Debian: apt-get install npm)")
        install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", AXE]
        done = subprocess.run(
            install, cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
        if not source.is_file():
            missing(f"npm could not install {AXE}: {done.stderr[-300:]}")
    return source.read_text(encoding="utf-8")
