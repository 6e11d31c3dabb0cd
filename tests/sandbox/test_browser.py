import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from servers import HostileServer, head

from xpmsync.sandbox import App, Practice
from xpmsync.sandbox.browser import NoWayOnError, main, press


@pytest.fixture
def listener():
    """A program's own listener, on a port of its own."""
    answers = {"/callback": head("302 Found", "Location: /done"), "/done": head()}
    with HostileServer(answers) as server:
        yield server


def list_paths(listener) -> list[str]:
    """What it was asked for."""
    return [request.split(" ")[1] for request in listener.requests]


def sign_in(serve, new_program, listener) -> str:
    port = urlsplit(listener.url).port
    sandbox = serve(apps=[App(redirect_ports=(port,))])
    return new_program(sandbox).authorise_url(redirect_uri=f"http://localhost:{port}/callback")


def test_as_a_command_it_presses_the_button_and_follows_to_the_program(serve, new_program, listener):
    url = sign_in(serve, new_program, listener)
    command = [sys.executable, "-m", "xpmsync.sandbox.browser", url]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.partition("=")[0] for path in list_paths(listener)] == ["/callback?code", "/done"]


def test_it_can_press_cancel(serve, new_program, listener):
    assert main(["--cancel", sign_in(serve, new_program, listener)]) == 0
    assert list_paths(listener)[0] == "/callback?error=access_denied&state=s-1"


def test_it_says_where_it_got_stuck(sandbox, new_program, capsys):
    assert main([new_program(sandbox).authorise_url(client_id="nobody")]) == 1
    assert "Unknown client" in capsys.readouterr().err


def test_it_says_that_nobody_listens_where_the_page_leads(serve, new_program, free_port, capsys):
    sandbox = serve(apps=[App(redirect_ports=(free_port,))])
    assert main([new_program(sandbox).authorise_url(redirect_uri=f"http://localhost:{free_port}/callback")]) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        f"The browser got stuck: Nobody listens at the redirect address, http://localhost:{free_port}/callback?code="
    )
    assert "HTTPConnectionPool" not in said


def test_it_chooses_a_practice_by_name_or_says_that_there_is_none(sandbox, new_program):
    program = new_program(sandbox)
    assert press(program.authorise_url(), practice="Fern & Co")
    with pytest.raises(NoWayOnError, match="no practice 'Third'"):
        press(program.authorise_url(), practice="Third")
    sandbox.add_practice(Practice("Second"))
    with pytest.raises(NoWayOnError, match="no practice 'Third'"):
        press(program.authorise_url(), practice="Third")


def test_an_unknown_button_is_an_error(sandbox, new_program):
    with pytest.raises(NoWayOnError, match="no button 'Maybe'"):
        press(new_program(sandbox).authorise_url(), "Maybe")
