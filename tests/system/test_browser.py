"""A real browser (Chromium) on the way of a sign-in: the sandbox's consent page, its buttons, and our own pages."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, urlsplit

import pytest
from firms import make_environment, point_at
from forks import Forks

from xpmsync.home import find_home
from xpmsync.sandbox import App, Practice, Sandbox

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 60
TAB, ENTER = "\ue004", "\ue007"
IPHONE_SE = {"width": 320, "height": 568, "deviceScaleFactor": 2, "mobile": True}


@dataclass
class Desk:
    """A home that is not connected yet, its sandbox, and `xpmsync connect` in a terminal."""

    sandbox: Sandbox
    port: int
    forks: Forks
    errors: IO[str]
    stack: ExitStack

    def connect(self):
        """Start it; returns the program and the address that it prints."""
        words = ["connect", "--wait", str(PATIENCE_SECONDS)]
        program = self.forks.start(words, environment=os.environ | {"BROWSER": "true %s"}, errors=self.errors.fileno())
        self.stack.enter_context(program)
        return program, next(line.strip() for line in program.stdout if line.startswith("http"))

    def finish(self, program):
        """The exit code, standard output and standard error of a program that is about to end."""
        exit_code, output = program.finish()
        self.errors.seek(0)
        return exit_code, output, self.errors.read()

    @property
    def url(self):
        return f"http://localhost:{self.port}"


@pytest.fixture
def desk(tmp_path, monkeypatch, free_port, forks) -> Iterator[Desk]:
    practice = Practice.generate(clients=5, staff=12, seed=7)
    with Sandbox(practice, apps=[App(redirect_ports=(free_port,))]) as sandbox, ExitStack() as stack:
        for name, value in make_environment(tmp_path / "home", sandbox.url).items():
            monkeypatch.setenv(name, value)
        redirect = {"xero.redirect_uri": f"http://localhost:{free_port}/callback"}
        point_at(find_home(os.environ), sandbox.url, redirect)
        errors = stack.enter_context((tmp_path / "errors").open("w+"))
        yield Desk(sandbox, free_port, forks, errors, stack)


@contextmanager
def at_phone_width(browser):
    browser.emulate("setDeviceMetricsOverride", **IPHONE_SE)
    yield
    browser.emulate("clearDeviceMetricsOverride")


def look_at(browser, name):
    """Pictures for a person, by day, by night and on a phone; and what a page owes to whoever uses it."""
    browser.take_picture(name)
    browser.emulate("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.take_picture(f"{name}-dark")
    browser.emulate("setEmulatedMedia", features=[])
    with at_phone_width(browser):
        browser.take_picture(f"{name}-phone")
        assert browser.run("innerWidth") == IPHONE_SE["width"]
        assert browser.run("document.documentElement.scrollWidth") <= IPHONE_SE["width"]
        heights = browser.run("[...document.querySelectorAll('button, select')].map(e => e.offsetHeight)")
        assert all(height >= 40 for height in heights)
    assert browser.title
    assert browser.run("document.documentElement.lang") == "en"
    assert browser.run("document.querySelectorAll('h1').length") == 1
    assert browser.run("parseFloat(getComputedStyle(document.body).fontSize)") >= 16


def check_way_back(browser, desk):
    """The browser came by a redirect away from the code, and spoke to nobody but the sandbox and xpmsync."""
    sent = browser.requests_sent()
    came_by = [status for address, status in sent if address == browser.address]
    assert came_by == [302]
    sandbox = urlsplit(desk.sandbox.url).netloc
    assert {urlsplit(address).netloc for address, _ in sent} == {sandbox, f"localhost:{desk.port}"}
    assert "?" not in browser.address
    assert browser.run("document.referrer") == ""


def test_allow_access_ends_on_our_page_and_the_terminal_goes_on(browser, desk):
    program, address = desk.connect()
    browser.open(address)
    assert "wants to access your practice" in browser.text
    look_at(browser, "consent")
    browser.press("Allow access")
    assert browser.address == f"{desk.url}/signed-in"
    assert browser.title == "You have signed in – xpmsync"
    assert "You can close this page and go on in the terminal." in browser.text
    check_way_back(browser, desk)
    look_at(browser, "signed-in")
    code, output, errors = desk.finish(program)
    assert (code, errors) == (0, "")
    assert "Connected to" in output
    browser.go_back()
    assert "code=" not in browser.address


def test_cancel_ends_on_our_page_and_changes_nothing(browser, desk):
    program, address = desk.connect()
    browser.open(address)
    browser.press("Cancel")
    assert browser.address == f"{desk.url}/cancelled"
    assert "Access was not allowed" in browser.text
    assert "Nothing has changed." in browser.text
    check_way_back(browser, desk)
    look_at(browser, "cancelled")
    code, _, errors = desk.finish(program)
    assert code == 4
    assert "“Cancel” was pressed" in errors
    assert desk.sandbox.keychain.passwords == {}


def test_a_page_of_an_earlier_sign_in_is_told_as_such_and_the_right_one_still_counts(browser, desk):
    earlier, earlier_address = desk.connect()
    earlier.kill()
    earlier.wait()
    program, address = desk.connect()
    browser.open(earlier_address)
    browser.press("Allow access")
    assert browser.address == f"{desk.url}/mismatch"
    assert "Another sign-in is waiting" in browser.text
    check_way_back(browser, desk)
    look_at(browser, "mismatch")
    browser.open(address)
    browser.press("Allow access")
    assert browser.address == f"{desk.url}/signed-in"
    assert desk.finish(program)[0] == 0


def test_a_refusal_ends_on_our_page(browser, desk):
    program, address = desk.connect()
    (state,) = parse_qs(urlsplit(address).query)["state"]
    browser.open(f"{desk.url}/callback?error=server_error&state={state}")
    assert browser.address == f"{desk.url}/refused"
    assert "Xero has refused the sign-in" in browser.text
    look_at(browser, "refused")
    code, _, errors = desk.finish(program)
    assert code == 7
    assert "server_error" in errors


def test_a_practice_is_chosen_and_access_allowed_with_the_keyboard_alone(browser, desk):
    other_id = desk.sandbox.add_practice(Practice.generate(clients=5, staff=3, seed=8), "Other & Sons")
    program, address = desk.connect()
    browser.open(address)
    look_at(browser, "consent-choice")
    assert browser.run("document.querySelector('select').labels[0].innerText") == "Practice"
    browser.type(TAB)
    browser.type("Other")
    browser.type(TAB)
    assert browser.run("document.activeElement.innerText") == "Allow access"
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.take_picture("consent-focus")
    browser.type(ENTER)
    browser.wait_to_leave(address)
    assert browser.address == f"{desk.url}/signed-in"
    code, output, _ = desk.finish(program)
    assert code == 0
    assert "Other & Sons" in output
    assert other_id in (Path(os.environ["XPMSYNC_HOME"]) / "config.toml").read_text("utf-8")


def test_a_mistake_in_the_app_ends_on_the_servers_own_page(browser, desk):
    _, address = desk.connect()
    browser.open(address.replace(f"localhost%3A{desk.port}", "localhost%3A1"))
    assert "Invalid redirect_uri" in browser.text
    look_at(browser, "error")


def test_without_the_permission_the_page_offers_no_practice(browser, desk):
    desk.sandbox.set_switches(user_may_connect=False)
    program, address = desk.connect()
    browser.open(address)
    assert "No Practice Manager account." in browser.text
    look_at(browser, "consent-without-permission")
    browser.press("Allow access")
    code, _, errors = desk.finish(program)
    assert code == 7
    assert "Connect third-party add-ons" in errors
