import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import pytest
import requests

from xpmsync.errors import ConfigurationError
from xpmsync.xpm.callback import LARGEST_REQUEST_BYTES, LONGEST_ADDRESS, PAGES, Reply, listen, read_reply

STATE = "the-state-of-this-sign-in"


@pytest.fixture
def uri(free_port):
    return f"http://localhost:{free_port}/callback"


def visit(uri, query):
    """Go there as a browser does; returns the address it ends on, and the page."""
    with requests.Session() as browser:
        browser.trust_env = False
        answer = browser.get(f"{uri}{query}", timeout=5)
    return answer.url.removeprefix(uri.removesuffix("/callback")), answer


@pytest.mark.parametrize(
    ("query", "reply"),
    [
        (f"?code=c0de&scope=x&state={STATE}&session_state=y", Reply(code="c0de")),
        (f"?error=access_denied&state={STATE}", Reply(error="access_denied")),
        (f"?error=server_error&state={STATE}", Reply(error="server_error")),
        (f"?error=Call+1800+123+456&state={STATE}", Reply(error="an unknown error")),
        (f"?error=ACCESS_DENIED&state={STATE}&code=c0de", Reply(error="an unknown error")),
        ("?error=access_denied", None),
        ("?error=access_denied&state=", None),
        ("?code=c0de", None),
        ("?code=c0de&state=another", None),
        ("?error=access_denied&state=another", None),
        (f"?state={STATE}", None),
        ("", None),
        ("?code=c0de&state=%F0%9F%99%82", None),
        (f"?code={'c' * LONGEST_ADDRESS}&state={STATE}", None),
    ],
)
def test_a_redirect_is_believed_only_with_the_right_state(query, reply):
    assert read_reply(f"http://localhost:8742/callback{query}", STATE) == reply
    assert read_reply(f"  http://localhost:8742/callback{query}\n", STATE) == reply


def test_the_browser_ends_on_a_clean_page(uri):
    with listen(uri, STATE) as listener:
        address, page = visit(uri, f"?code=c0de&state={STATE}")
        assert listener.wait(1) == Reply(code="c0de")
    assert address == "/signed-in"
    assert [each.status_code for each in page.history] == [302]
    assert "c0de" not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("query", "address"),
    [
        (f"?error=access_denied&state={STATE}", "/cancelled"),
        (f"?error=server_error&state={STATE}", "/refused"),
        ("?code=c0de&state=another", "/mismatch"),
        ("?error=access_denied", "/mismatch"),
    ],
)
def test_every_outcome_has_its_own_page(uri, query, address):
    with listen(uri, STATE):
        assert visit(uri, query)[0] == address


def test_a_stranger_does_not_end_the_waiting(uri):
    with listen(uri, STATE) as listener:
        assert visit(uri, "?code=bad&state=guessed")[0] == "/mismatch"
        assert visit(uri.replace("callback", "favicon.ico"), "")[1].status_code == 404
        assert listener.wait(0.05) is None
        assert visit(uri, f"?code=c0de&state={STATE}")[0] == "/signed-in"
        assert listener.wait(1) == Reply(code="c0de")


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /callback?error=WORDS HTTP/1.1\r\n\r\n",
        b"WORDS\r\n\r\n",
        b"GET /callback?WORDS HTTP/9.9\r\n\r\n",
        b"GET /callback?error=WORDS HTTP/1.1\r\nX: " + b"WORDS" * LARGEST_REQUEST_BYTES,
        b"GET /callback?error=" + b"WORDS" * LARGEST_REQUEST_BYTES,
        b"GET /callback HTTP/1.1\r\n" + b"WORDS: x\r\n" * 200 + b"\r\n",
        b"GET /callback HTTP/1.1\r\n" + (b"X: " + b"WORDS" * 12_000 + b"\r\n") * 3,
    ],
    ids=[
        "another method",
        "no request",
        "another version",
        "an endless header",
        "an endless address",
        "many headers",
        "long ones",
    ],
)
def test_nothing_of_a_strangers_request_is_shown_and_no_more_is_read_than_a_limit(uri, request_, capfd):
    port = int(uri.split(":")[2].split("/")[0])
    with listen(uri, STATE) as listener, socket.create_connection(("127.0.0.1", port), timeout=5) as stranger:
        answer = b""
        with contextlib.suppress(ConnectionError):  # it may be closed before all is sent; a time-out is a failure
            stranger.sendall(request_)
            while piece := stranger.recv(65536):
                answer += piece
        assert listener.wait(0.05) is None
        assert visit(uri, f"?code=c0de&state={STATE}")[0] == "/signed-in"
    assert b"WORDS" not in answer
    assert capfd.readouterr() == ("", "")


def test_only_the_first_redirect_counts(uri):
    with listen(uri, STATE) as listener:
        visit(uri, f"?code=first&state={STATE}")
        assert visit(uri, f"?code=second&state={STATE}")[0] == "/signed-in"
        assert listener.wait(1) == Reply(code="first")
        assert listener.wait(0.05) is None


def test_a_connection_that_says_nothing_keeps_nobody_waiting(uri):
    port = int(uri.split(":")[2].split("/")[0])
    with listen(uri, STATE) as listener, socket.create_connection(("127.0.0.1", port)):
        visit(uri, f"?code=c0de&state={STATE}")
        assert listener.wait(1) == Reply(code="c0de")


def test_the_last_page_is_served_although_the_program_goes_on(uri):
    with ThreadPoolExecutor() as pool:
        with listen(uri, STATE) as listener:
            visited = pool.submit(visit, uri, f"?code=c0de&state={STATE}")
            assert listener.wait(5) == Reply(code="c0de")
        assert visited.result()[0] == "/signed-in"


def test_it_listens_on_this_machine_alone(uri):
    port = int(uri.split(":")[2].split("/")[0])
    with listen(uri, STATE), pytest.raises(OSError, match=r"refused|timed out"):
        socket.create_connection(("127.0.0.2", port), timeout=1)


def test_a_port_in_use_is_told_as_such(uri):
    in_use = pytest.raises(ConfigurationError, match="is in use by another program")
    with listen(uri, STATE), in_use as caught, listen(uri, STATE):
        pass
    assert "--no-browser" in caught.value.remedy


def test_another_machines_address_cannot_be_listened_at():
    with pytest.raises(ConfigurationError, match="not this machine's"), listen("https://firm.example.com/x", STATE):
        pass


def test_nothing_of_a_request_is_printed(uri, capfd):
    with listen(uri, STATE):
        visit(uri, f"?code=c0de&state={STATE}")
        visit(uri, "?code=bad&state=x")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_needs_nothing_from_elsewhere_and_can_be_read_aloud(page):
    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            self.tags.append(tag)
            names = dict(attrs)
            assert not {"src", "href"} & set(names)
            if tag == "html":
                assert names["lang"] == "en"

    reader = Reader()
    reader.tags = []
    reader.feed(page.decode())
    assert reader.tags.count("h1") == reader.tags.count("main") == reader.tags.count("title") == 1
    assert b"url(" not in page
    assert b"@import" not in page
    assert len(page) < 2_500
