"""A browser without a person: opens the consent page, presses a button, and hands back or follows the redirect.

`python -m xpmsync.sandbox.browser [--cancel] ADDRESS` serves as the value of the BROWSER variable (`… %s &`, so
that whoever opens it does not wait for it). Responsible for reading the page's form as a browser does. Refuses to
know what the sandbox does with it.
"""

import argparse
import sys
import urllib.parse
from collections.abc import Sequence
from html.parser import HTMLParser

import requests

_TIMEOUT_SECONDS = 30


class NoWayOnError(Exception):
    """The page has no such button or practice, or does not lead back to the program. Carries the page's words."""


def press(authorise_url: str, button: str = "Allow access", practice: str | None = None) -> str:
    """Press a button on the consent page and return the address it redirects to, without going there.

    `practice` chooses by name where the page offers several; otherwise the page's own choice stands.
    """
    with requests.Session() as session:
        session.trust_env = False  # a proxy has no business between here and loopback
        page = _read_page(session.get(authorise_url, timeout=_TIMEOUT_SECONDS))
        fields = page.fill(button, practice)
        address = urllib.parse.urljoin(authorise_url, page.action)
        answer = session.post(address, data=fields, allow_redirects=False, timeout=_TIMEOUT_SECONDS)
    if not answer.is_redirect:
        raise NoWayOnError(_read_page(answer).words)
    return answer.headers["location"]


def _follow(session: requests.Session, redirect: str) -> None:
    """Go where the page leads."""
    try:
        session.get(redirect, timeout=_TIMEOUT_SECONDS)
    except requests.ConnectionError as error:
        address = (error.request and error.request.url) or redirect
        raise NoWayOnError(f"Nobody listens at the redirect address, {address}") from error


def _read_page(answer: requests.Response) -> "_Page":
    page = _Page()
    page.feed(answer.content.decode())
    return page


class _Page(HTMLParser):
    """A page with one form."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.words = ""
        self._fields: dict[str, str] = {}
        self._buttons: dict[str, tuple[str, str]] = {}
        self._choices: dict[str, tuple[str, str]] = {}
        self._select = ""
        self._open: tuple[str, str, str] | None = None  # the button or option whose text is being read

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a form and its parts."""
        attributes = {name: value or "" for name, value in attrs}
        name, value = attributes.get("name", ""), attributes.get("value", "")
        match tag:
            case "form":
                self.action = attributes.get("action", "")
            case "input":
                self._fields[name] = value
            case "select":
                self._select = name
            case "option":
                self._fields.setdefault(self._select, value)  # the first one is chosen until a person chooses
                self._open = (tag, self._select, value)
            case "button":
                self._open = (tag, name, value)
            case "style" | "title":
                self._open = (tag, "", "")

    def handle_data(self, data: str) -> None:
        """Take in text: a button's, an option's, or the page's."""
        text = " ".join(data.split())
        match self._open:
            case ("button", name, value):
                self._buttons[text] = (name, value)
            case ("option", name, value):
                self._choices[text] = (name, value)
            case None if text:
                self.words = f"{self.words} {text}".strip()

    def handle_endtag(self, tag: str) -> None:
        """End a button, an option, or what is not shown."""
        if self._open and self._open[0] == tag:
            self._open = None

    def fill(self, button: str, practice: str | None) -> dict[str, str]:
        """The fields as they are sent when a button is pressed."""
        if button not in self._buttons:
            raise NoWayOnError(f"The page has no button {button!r}: {self.words}")
        if practice is not None and practice not in self._choices and practice not in self.words:
            raise NoWayOnError(f"The page offers no practice {practice!r}: {self.words}")
        chosen = [self._choices[practice]] if practice in self._choices else []
        return self._fields | dict([*chosen, self._buttons[button]])


def main(arguments: Sequence[str] | None = None) -> int:
    """Press and follow: the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m xpmsync.sandbox.browser", description="Press a button for a person."
    )
    parser.add_argument("address")
    parser.add_argument("--cancel", action="store_true", help="press Cancel instead of Allow access")
    parser.add_argument("--practice", help="choose the practice of this name")
    options = parser.parse_args(arguments)
    try:
        redirect = press(options.address, "Cancel" if options.cancel else "Allow access", options.practice)
        with requests.Session() as session:
            session.trust_env = False
            _follow(session, redirect)
    except (NoWayOnError, requests.RequestException) as error:
        print(f"The browser got stuck: {error}", file=sys.stderr)  # noqa: T201 - a command line
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
