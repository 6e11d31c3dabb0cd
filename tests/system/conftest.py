"""Tests with programs and services of the system: where one is missing they skip, but in CI it has to be there."""

import base64
import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

PATIENCE_SECONDS = 60
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id in WebDriver's answers
CHROMIUM_OPTIONS = [
    "--headless",
    "--no-sandbox",  # which root, as in most CI, cannot have; it sees no page but ours
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Browser:
    """One browser with an empty profile, driven over WebDriver's own protocol."""

    line: requests.Session
    session_url: str
    pictures: Path

    def ask(self, method, path, body=None):
        answer = self.line.request(method, f"{self.session_url}{path}", json=body, timeout=PATIENCE_SECONDS).json()
        if isinstance(answer["value"], dict) and "error" in answer["value"]:
            raise AssertionError(answer["value"]["message"])
        return answer["value"]

    def open(self, address):
        self.ask("POST", "/url", {"url": address})

    def go_back(self):
        self.ask("POST", "/back", {})

    @property
    def address(self):
        return self.ask("GET", "/url")

    @property
    def title(self):
        return self.ask("GET", "/title")

    def run(self, script):
        return self.ask("POST", "/execute/sync", {"script": f"return {script}", "args": []})

    @property
    def text(self):
        return " ".join(self.run("document.body.innerText").split())

    def find(self, xpath):
        return self.ask("POST", "/element", {"using": "xpath", "value": xpath})[ELEMENT]

    def press(self, button):
        """Click, and wait for the page that follows."""
        before = self.address
        self.ask("POST", f"/element/{self.find(f'//button[normalize-space()={button!r}]')}/click", {})
        self.wait_to_leave(before)

    def type(self, keys):
        """Type into whatever has the focus."""
        self.ask("POST", f"/element/{self.ask('GET', '/element/active')[ELEMENT]}/value", {"text": keys})

    def wait_to_leave(self, address):
        """A form is on its way before the browser is."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self.address == address:
            assert time.monotonic() < until, f"the browser is still at {address}"

    def emulate(self, command, **parameters):
        self.ask("POST", "/goog/cdp/execute", {"cmd": f"Emulation.{command}", "params": parameters})

    def requests_sent(self):
        """Every request since the last time, as (address, the status of the redirect that led to it)."""
        entries = self.ask("POST", "/se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        return [
            (event["params"]["request"]["url"], event["params"].get("redirectResponse", {}).get("status"))
            for event in messages
            if event["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self):
        """What stands in the page's console."""
        return [entry["message"] for entry in self.ask("POST", "/se/log", {"type": "browser"})]

    def take_picture(self, name):
        (self.pictures / f"{name}.png").write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))


@pytest.fixture(scope="session")
def driver_url(require_program) -> Iterator[str]:
    command = [require_program("chromedriver"), "--port=0"]
    with contextlib.ExitStack() as drivers:
        for _ in range(10):
            driver = drivers.enter_context(start_driver(command))
            said = []
            for line in driver.stdout:
                said.append(line)
                if found := re.search(r"successfully on port (\d+)", line):
                    yield f"http://127.0.0.1:{found[1]}"
                    return
            # It takes a port of IPv6 that is free and ends where IPv4's of that number is in use,
            # as it can well be on a machine on which thousands of tests talk to servers.
        pytest.fail("chromedriver ended ten times:\n" + "".join(said))


@contextlib.contextmanager
def start_driver(command) -> Iterator[subprocess.Popen]:
    """Chromedriver, until it's no longer needed."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as driver:
        try:
            yield driver
        finally:
            driver.terminate()


@pytest.fixture(scope="session")
def running_browser(driver_url, require_program, tmp_path_factory) -> Iterator[Browser]:
    options = {"binary": require_program("chromium"), "args": CHROMIUM_OPTIONS}
    wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}
    body = {"capabilities": {"alwaysMatch": wanted}}
    with requests.Session() as line:
        line.trust_env = False  # a proxy has no business on this machine
        session = line.post(f"{driver_url}/session", json=body, timeout=PATIENCE_SECONDS).json()["value"]
        folder = tmp_path_factory.mktemp("pictures")
        browser = Browser(line, f"{driver_url}/session/{session['sessionId']}", folder)
        yield browser
        browser.ask("DELETE", "")


@pytest.fixture
def browser(running_browser) -> Iterator[Browser]:
    """The browser, in a window of its own that has been nowhere."""
    first = running_browser.ask("GET", "/window")
    window = running_browser.ask("POST", "/window/new", {"type": "window"})["handle"]
    running_browser.ask("POST", "/window", {"handle": window})
    running_browser.requests_sent()
    running_browser.complaints()
    yield running_browser
    running_browser.ask("DELETE", "/window")
    running_browser.ask("POST", "/window", {"handle": first})
