"""The views of active.db in Datasette, the real one, as a person looks at them in a browser."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from xpmsync.sandbox import Practice, Sandbox

pytestmark = pytest.mark.slow

VIEWS = ("client_list", "user_list", "open_errors", "open_causes", "error_list", "run_list", "change_list")
MARKUP = '<script>alert("1")</script> & Sons'
START_SECONDS = 30


@pytest.fixture(scope="module")
def firm(furnish, tmp_path_factory):
    practice = Practice()
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    bob = practice.add_staff("Bob Ray", "bob@example.com")
    practice.add_client(MARKUP, account_manager=ann, client_code="SONS")
    practice.add_client("Second", account_manager=ann, job_manager=bob)
    practice.add_client("Nobody's")
    practice.add_client("Nobody's either")
    with Sandbox(practice) as sandbox, pytest.MonkeyPatch.context() as monkeypatch:
        firm = furnish(sandbox, tmp_path_factory.mktemp("datasette"), monkeypatch)
        firm.sync()
        yield firm


@pytest.fixture(scope="module")
def fetch(firm, find_free_port):
    """Fetches a page of Datasette on the firm's database."""
    database, port = firm.home.database_file, find_free_port()
    command = [sys.executable, "-m", "datasette", "serve", database.name, "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, cwd=database.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:

        def fetch(page):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/active{page}", timeout=10) as answer:
                assert answer.status == 200
                return answer.read().decode()

        try:
            patience_ends_at = time.monotonic() + START_SECONDS
            while True:
                try:
                    fetch(".json")
                    break
                except urllib.error.URLError:
                    assert server.poll() is None
                    assert time.monotonic() < patience_ends_at
                    time.sleep(0.1)
            yield fetch
        finally:
            server.terminate()


def load(fetch, view):
    return json.loads(fetch(f"/{view}.json?_shape=array&_size=max"))


def test_every_view_answers_as_a_page_and_as_data(firm, fetch):
    for view in VIEWS:
        expected = firm.rows(f"SELECT * FROM {view}")
        assert expected
        assert load(fetch, view) == expected
        page = fetch(f"/{view}")
        assert all(f'data-column="{column}"' in page for column in expected[0])


def test_the_views_say_what_a_person_wants_to_know(firm, fetch):
    second = firm.practice.clients[next(uuid for uuid, each in firm.practice.clients.items() if each.name == "Second")]
    bob = next(uuid for uuid, each in firm.practice.staff.items() if "Bob" in str(each.elements))
    firm.practice.edit_client(second.uuid, account_manager=bob)
    firm.write("UPDATE users SET role = 'Admin', office_code = 'MAIN' WHERE email = 'ann@example.com'")
    run_id = firm.sync().run_id
    users = {row["name"]: row for row in load(fetch, "user_list")}
    assert users["Ann Lee"]["still_needs"] == "modules"
    assert users["Bob Ray"]["still_needs"] == "a role, an office, modules"
    assert (users["Bob Ray"]["clients_as_partner"], users["Bob Ray"]["clients_as_manager"]) == (1, 1)
    change = load(fetch, "change_list")[0]
    assert (change["name"], change["field"], change["old_value"], change["new_value"]) == (
        *("Second", "partner_id"),
        *("Ann Lee", "Bob Ray"),
    )
    (cause,) = (row for row in load(fetch, "open_causes") if row["severity"] == "error")
    assert cause["records"] == 2
    assert cause["cause"].startswith("2 clients ")
    assert sorted(cause["names"].split("; ")) == ["Nobody's", "Nobody's either"]
    assert [row["run"] for row in load(fetch, "run_list")] == list(range(run_id, 0, -1))


def test_a_name_with_markup_in_it_is_shown_as_text(fetch):
    for view in ("client_list", "change_list"):
        page = fetch(f"/{view}")
        assert MARKUP not in page
        assert "&lt;script&gt;alert(" in page


def test_a_person_who_looks_is_in_no_syncs_way_and_sees_what_it_writes(firm, fetch):
    fetch("/client_list")
    firm.practice.add_client("Third", account_manager=next(iter(firm.practice.staff)))
    firm.sync(full=True)
    assert "Third" in {row["legal_name"] for row in load(fetch, "client_list")}
    assert {path.stat().st_mode & 0o777 for path in firm.home.data_folder.glob("active.db*")} == {0o600}
