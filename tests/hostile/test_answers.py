"""What Practice Manager's answers may try, and what comes of it: an exit code, a calm sentence, and data as it was."""

import base64
import codecs
import gzip
import json
import math
import re
from contextlib import closing

import pytest
from hostile_world import say
from properties import check_error
from servers import HostileServer, head, wrap

from xpmsync.cli.formatting import clean
from xpmsync.config import XeroSettings, change_config, read_config, read_mail_settings
from xpmsync.errors import ConfigurationError, PermanentError, SuspiciousChange, TransientError, XpmsyncError
from xpmsync.home import load_home_id
from xpmsync.log import open_log
from xpmsync.rules.fields import CLIENT_SHAPE
from xpmsync.xpm.api import PracticeManager, fetch_connections
from xpmsync.xpm.callback import read_reply
from xpmsync.xpm.client import ApiClient
from xpmsync.xpm.oauth import IdentityClient, read_claims
from xpmsync.xpm.xml import parse_records

CLIENT = "<Client><UUID>6b92c360-462b-47f0-83e3-0e49553fafa3</UUID><Name>&x;</Name></Client>"
LAUGHS = "".join(f'<!ENTITY l{number} "{f"&l{number - 1};" * 10}">' for number in range(1, 10))
OK = head()


def utf(encoding: str, content: bytes = wrap("<Client><Name>Ōtaki</Name></Client>")) -> bytes:
    return OK + f'<?xml version="1.0" encoding="{encoding}"?>'.encode(encoding) + content.decode().encode(encoding)


def typed(declaration: str, client: str = CLIENT) -> bytes:
    """An answer with a document type."""
    return OK + f"<!DOCTYPE Response [{declaration}]>".encode() + wrap(client)


HOSTILE = {
    "entities that grow a billionfold": (PermanentError, typed(f'<!ENTITY l0 "lol">{LAUGHS}<!ENTITY x "&l9;">')),
    "an entity that grows by its square": (
        PermanentError,
        typed(f'<!ENTITY x "{"a" * 50_000}">', CLIENT.replace("&x;", "&x;" * 50_000)),
    ),
    "an entity that is a file": (PermanentError, typed('<!ENTITY x SYSTEM "file:///etc/passwd">')),
    "an entity that is a page": (PermanentError, typed('<!ENTITY x SYSTEM "URL/entity">')),
    "a parameter entity that is a page": (
        PermanentError,
        typed('<!ENTITY % p SYSTEM "URL/parameter">%p;<!ENTITY x "y">'),
    ),
    "a document type that is a page": (
        PermanentError,
        OK + b'<!DOCTYPE Response SYSTEM "URL/dtd">' + wrap(CLIENT.replace("&x;", "A")),
    ),
    "an inclusion": (
        SuspiciousChange,
        OK + wrap('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'),
    ),
    "100,000 levels": (PermanentError, OK + wrap(b"<a>" * 100_000)),
    "a NUL": (PermanentError, OK + wrap("<Client><Name>A\x00B</Name></Client>")),
    "a NUL by its number": (PermanentError, OK + wrap("<Client><Name>&#0;</Name></Client>")),
    "an escape character": (PermanentError, OK + wrap("<Client><Name>\x1b[31m</Name></Client>")),
    "half a surrogate pair": (PermanentError, OK + wrap("<Client><Name>&#xD83D;</Name></Client>")),
    "both halves of one": (PermanentError, OK + wrap("<Client><Name>&#xD83D;&#xDE00;</Name></Client>")),
    "bytes that are no UTF-8": (PermanentError, OK + wrap(b"<Client><Name>\xff\xfe</Name></Client>")),
    "a long form in UTF-8": (PermanentError, OK + wrap(b"<Client><Name>\xc0\xbcb</Name></Client>")),
    "UTF-16 with a mark": (PermanentError, OK + wrap("<Client />").decode().encode("utf-16")),
    "UTF-16 that says so": (PermanentError, utf("utf-16")),
    "UTF-16 without a mark": (PermanentError, utf("utf-16-le")),
    "UTF-32": (PermanentError, utf("utf-32")),
    "EBCDIC": (PermanentError, OK + wrap("<Client />").decode().encode("cp037")),
    "Latin-1 that says so": (
        PermanentError,
        OK + b'<?xml version="1.0" encoding="latin-1"?>' + wrap(b"<Client>\xe9</Client>"),
    ),
    "another root": (PermanentError, OK + b"<Reply><Status>OK</Status></Reply>"),
    "an entity among contacts": (
        PermanentError,
        typed('<!ENTITY x "y">', "<Client><UUID>c1</UUID><Contacts>&x;<Contact>&x;</Contact></Contacts></Client>"),
    ),
    "two answers in one": (PermanentError, OK + wrap("<Client />") * 2),
    "JSON": (PermanentError, head(kind="application/json") + json.dumps({"Status": "OK"}).encode()),
    "nothing": (TransientError, OK),
    "a picture": (PermanentError, head(kind="image/png") + b"\x89PNG\r\n\x1a\n" + bytes(100)),
    "a page": (TransientError, head(kind="text/html") + b"<html>Back soon</html>"),
    "gzip that is none": (TransientError, head("200 OK", "Content-Encoding: gzip") + wrap("<Client />")),
    "gzip that does not say so": (PermanentError, OK + gzip.compress(wrap("<Client />"))),
    "gzip in gzip": (PermanentError, head("200 OK", "Content-Encoding: gzip") + gzip.compress(gzip.compress(wrap("")))),
    "gzip in gzip that says so": (
        PermanentError,
        head("200 OK", "Content-Encoding: gzip, gzip") + gzip.compress(gzip.compress(wrap(""))),
    ),
    "another packing": (TransientError, head("200 OK", "Content-Encoding: br") + b"\x0b\x02\x80"),
    "a chunk of a negative length": (TransientError, head("200 OK", "Transfer-Encoding: chunked") + b"-5\r\n<a/>\r\n"),
    "a chunk of length -1": (TransientError, head("200 OK", "Transfer-Encoding: chunked") + b"-1\r\n<a/>\r\n"),
    "10,000 headers": (TransientError, head("200 OK", *(f"X-{number}: 1" for number in range(10_000)))),
    "a header of 1 MB": (TransientError, head("200 OK", "X: " + "x" * 1_000_000)),
    "no HTTP": (TransientError, b"\x16\x03\x01\x02\x00" * 100),
    "a redirect to another host": (TransientError, head("302 Found", "Location: OTHER/")),
    "a redirect to another port": (TransientError, head("307 Temporary Redirect", "Location: //127.0.0.1:1/")),
    "a redirect to a file": (TransientError, head("301 Moved", "Location: file:///etc/passwd")),
    "a refusal 100,000 levels deep": (
        TransientError,
        head("403 Forbidden", kind="application/json") + b'{"a":' * 12_000,
    ),
    "a refusal of 100 MB": (
        TransientError,
        head("403 Forbidden", "Content-Encoding: gzip") + gzip.compress(bytes(100_000_000), 1),
    ),
    "a refusal that writes lines": (
        PermanentError,
        head("400 Bad", kind="application/json")
        + json.dumps({"detail": "x\n2026 INFO run 9 succeeded\x1b[2J"}).encode(),
    ),
    "an error of 5 MB": (
        PermanentError,
        OK
        + wrap("", status="ERROR").replace(
            b"</Status>", b"</Status><ErrorDescription>" + b"x" * 5_000_000 + b"</ErrorDescription>"
        ),
    ),
    "an error that would be obeyed": (
        PermanentError,
        OK
        + wrap("", status="ERROR").replace(
            b"</Status>", "</Status><ErrorDescription>\x9b2J\u202e[red]\r\nBcc: a@b</ErrorDescription>".encode()
        ),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_ends_the_run_calmly_and_leaves_the_data_as_it_was(world, name):
    kind, answer = HOSTILE[name]
    before = world.load()
    with HostileServer() as other:
        answer = answer.replace(b"URL", world.server.url.encode()).replace(b"OTHER", other.url.encode())
        world.server.answers["client.api/list"] = answer
        with pytest.raises(kind) as caught:
            world.sync()
    assert world.load() == before
    check_error(caught.value)
    assert other.requests == []
    asked = {request.split(" ")[1].partition("?")[0].rpartition("/3.1/")[2] for request in world.server.requests}
    assert asked <= {"staff.api/list", "clientgroup.api/list", "client.api/list"}
    told = world.rows("SELECT message, suggestion FROM sync_errors WHERE entity = 'run' ORDER BY id DESC LIMIT 1")[0]
    assert all(len(text) < 1000 and clean(text) == text for text in told.values())


NAME = "Ngata Family Trust"
"""A client's: it must not get from an answer into the log, into an email, or into what a sync failed of."""


def refuse(status, words, *lines):
    return head(status, *lines, kind="application/json") + json.dumps(words).encode()


@pytest.mark.parametrize(
    "case",
    {
        "a detail": ("client.api/list", refuse("400 Bad Request", {"Detail": f"{NAME} is not valid"})),
        "a detail in lower case": ("client.api/list", refuse("403 Forbidden", {"detail": NAME})),
        "a known word and more": (
            "client.api/list",
            refuse("403 Forbidden", {"Detail": f"TokenExpired: token expired at {NAME}", "Instance": NAME}),
        ),
        "a detail that is an object": ("client.api/list", refuse("403 Forbidden", {"Detail": {"Client": NAME}})),
        "a challenge": (
            "client.api/list",
            refuse("401 Unauthorized", {"Detail": NAME}, f'WWW-Authenticate: Bearer error="{NAME}"'),
        ),
        "a limit": (
            "client.api/list",
            refuse("429 Too Many", {}, f"X-Rate-Limit-Problem: {NAME}", f"Xero-Correlation-Id: {NAME}"),
        ),
        "a status of Practice Manager": ("client.api/list", OK + wrap("", status=NAME)),
        "a root": ("client.api/list", OK + f"<{NAME.replace(' ', '_')}/>".encode()),
        "no status line": ("client.api/list", f"HTTP/1.1 {NAME}\r\n\r\n".encode()),
        "a length of a chunk": (
            "client.api/list",
            head("200 OK", "Transfer-Encoding: chunked") + NAME.encode() + b"\r\n",
        ),
        "an error of the sign-in server": (
            "/connect/token",
            refuse("400 Bad Request", {"error": NAME, "error_description": NAME}),
        ),
        "no status line of the sign-in server": ("/connect/token", f"HTTP/1.1 {NAME}\r\n\r\n".encode()),
    }.items(),
    ids=lambda case: case[0],
)
def test_only_known_words_of_an_answer_are_logged(world, sign_in_server, case):
    _, (call, answer) = case
    sign_in_server.answers["/connect/token"] = as_json(GRANT)
    sign_in_server.answers[call] = answer
    open_log(world.home)
    world.home.log_file.write_text("")
    with pytest.raises(XpmsyncError):
        world.sync()
    told = world.home.log_file.read_text() + str(world.rows("SELECT message FROM sync_runs ORDER BY id DESC LIMIT 1"))
    assert "failed" in told
    assert not any(word in told for word in NAME.split())


def test_what_xeros_support_asks_for_is_logged_and_of_other_words_their_length(world):
    uuid = "bf45f849-6570-48d9-833e-47751426e1f9"
    open_log(world.home)
    for detail, logged in (("AuthenticationUnsuccessful", "AuthenticationUnsuccessful"), (NAME, "[18 characters]")):
        words = codecs.BOM_UTF8 + json.dumps({"Detail": detail, "Instance": uuid}).encode()
        world.server.answers["client.api/list"] = head("403 Forbidden", kind="application/json") + words
        with pytest.raises(PermanentError):
            world.sync()
        assert f"status 403, correlation ID {uuid}, detail {logged}" in world.home.log_file.read_text()


def test_an_address_of_the_next_page_is_not_followed(world):
    with HostileServer() as other:
        link = f'Link: <{other.url}/next>; rel="next"'
        world.server.answers["client.api/list"] = head("200 OK", link) + world.right["client.api/list"]
        world.sync()
    assert other.requests == []


@pytest.mark.parametrize("prefix", [b"", b"x:"], ids=["default", "prefix"])
def test_an_answer_in_a_namespace_is_the_same_answer(world, prefix):
    before = world.load()
    declaration = b'xmlns:x="urn:x"' if prefix else b'xmlns="urn:x"'
    for call, body in world.right.items():
        named = re.sub(rb"<(/?)(?=[A-Za-z])", rb"<\1" + prefix, body)
        world.server.answers[call] = head() + re.sub(rb"<(\w+:)?Response", rb"\g<0> " + declaration, named, count=1)
    world.sync()
    assert world.load() == before


def test_utf_8_is_read_as_utf_8_whatever_the_answer_claims_to_be(world):
    for claim in ("iso-8859-1", "windows-1252", "utf-16", "x-none"):
        declaration = f'<?xml version="1.0" encoding="{claim}"?>'.encode()
        kind = f"text/xml; charset={claim}"
        content = world.right["client.api/list"].replace(b"</Name>", " Ōtaki</Name>".encode())
        world.server.answers["client.api/list"] = head(kind=kind) + declaration + content
        world.sync()
        assert {row["name"][-6:] for row in world.rows("SELECT name FROM xpm_clients WHERE name <> ''")} == {" Ōtaki"}


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-DayLimit-Remaining", "9" * 5000),
        ("X-DayLimit-Remaining", "9" * 30),
        ("X-DayLimit-Remaining", "-1"),
        ("X-DayLimit-Remaining", "٣"),
        ("Date", "Fri, 31 Dec 9999 23:59:59 -2300"),
        ("Date", "Fri, 01 Jan 0100 00:00:00 GMT"),
        ("Date", "x" * 5000),
        ("Xero-Correlation-Id", "\x1b[2J"),
        ("Retry-After", "9" * 5000),
    ],
)
def test_a_header_that_makes_no_sense_is_passed_over(world, header, value):
    for call, body in world.right.items():
        world.server.answers[call] = (
            head().replace(b"Connection", f"{header}: {value}\r\nConnection".encode(), 1) + body
        )
    world.sync()
    world.sync(full=False)
    cursor, left = world.rows("SELECT cursor_at, day_calls_remaining FROM sync_runs ORDER BY id DESC LIMIT 1")[
        0
    ].values()
    assert (cursor, left) == (None, None)


def test_an_identifier_is_no_path(world):
    asked = "../../connections?x=#/\r\nX: y"
    world.server.answers[""] = head() + b"<Response><Status>OK</Status></Response>"
    gateway = open_gateway(world)
    with closing(gateway):
        PracticeManager(gateway, world.sandbox.tenant_id).fetch_client(asked, CLIENT_SHAPE)
    (request,) = world.server.requests
    assert request.split("\r\n")[0] == (
        "GET /practicemanager/3.1/client.api/get/..%2F..%2Fconnections%3Fx%3D%23%2F%0D%0AX%3A%20y HTTP/1.1"
    )


def test_identifiers_that_are_none_or_come_twice_or_in_another_case_make_one_record_each(world):
    staff = "".join(
        f"<Staff><UUID>{uuid}</UUID><Name>Staff {number}</Name><Email>s{number}@example.com</Email></Staff>"
        for number, uuid in enumerate(["ABC", "abc", " abc\n", "' OR 1=1", "../x", "Ω", "ω", ""])
    )
    world.server.answers["staff.api/list"] = head() + wrap(staff, "StaffList")
    world.server.answers["client.api/list"] = head() + wrap("")
    with pytest.raises(SuspiciousChange):
        world.sync()
    world.sync(full=False, accept=world.rows("SELECT max(id) AS id FROM sync_runs")[0]["id"])
    kept = [row["uuid"] for row in world.rows("SELECT uuid FROM xpm_staff WHERE vanished_at IS NULL ORDER BY uuid")]
    assert kept == ["' or 1=1", "../x", "abc", "Ω", "ω"]
    first = world.load()
    world.sync()
    assert world.load() == first


@pytest.mark.parametrize(
    "endless",
    [b"<Client><Contacts><Contact /></Contacts>", b" ", b"<!--x-->", b"<?x?>", b"<Client", b"x"],
)
def test_an_answer_in_which_no_record_ends_is_given_up(endless):
    def chunks():
        yield b"<Response><Status>OK</Status><Clients><Client"
        while True:
            yield endless * (65_536 // len(endless))

    with pytest.raises(PermanentError):
        list(parse_records(chunks(), CLIENT_SHAPE))


# The sign-in and the connections.


def open_gateway(world):
    class Token:
        def access_token(self):
            return "access-token"

    return ApiClient(world.server.url, Token(), now=None, monotonic=lambda: 0.0, sleep=lambda _: None, deadline=600.0)


def as_json(value):
    return head(kind="application/json") + json.dumps(value).encode()


CONNECTION = {
    "id": "5a97a3a1-b0de-4c49-82b5-e75e1ebc0350",
    "tenantId": "f6d511d1-0914-4429-9b76-fceaba2004b2",
    "tenantType": "PRACTICEMANAGER",
    "tenantName": "A",
}


@pytest.mark.parametrize(
    "answer",
    [
        as_json(CONNECTION),
        as_json("x"),
        head(kind="application/json") + b"[" * 100_000,
        head(kind="application/json") + b'[{"id":' * 100_000,
        head(kind="application/json") + b" " * 5_000_000,
        head("200 OK", "Content-Encoding: gzip") + gzip.compress(b"[" + b" " * 100_000_000, 1),
    ],
)
def test_a_list_of_connections_that_is_none_is_refused(world, answer):
    world.server.answers = {"/connections": answer}
    with closing(open_gateway(world)) as gateway, pytest.raises(PermanentError, match="list of connections"):
        fetch_connections(gateway)


def test_a_list_of_connections_that_begins_with_a_byte_order_mark_is_read(world):
    body = codecs.BOM_UTF8 + json.dumps([CONNECTION]).encode()
    world.server.answers = {"/connections": head(kind="application/json") + body}
    with closing(open_gateway(world)) as gateway:
        assert [connection.tenant_name for connection in fetch_connections(gateway)] == ["A"]


@pytest.mark.parametrize("answer", [head(kind="application/json") + b"9" * 5_000, OK + wrap(""), OK])
def test_a_list_of_connections_that_is_no_json_may_have_been_cut(world, answer):
    world.server.answers = {"/connections": answer}
    with closing(open_gateway(world)) as gateway, pytest.raises(TransientError, match="list of connections"):
        fetch_connections(gateway)


def test_of_a_list_of_connections_no_more_than_ids_becomes_a_part_of_an_address_or_a_header(world):
    odd = [{"tenantId": "x\r\nX: y"}, {"tenantId": None}, {"id": "../../x"}, {"id": 7}]
    world.server.answers = {"/connections": as_json([None, *(CONNECTION | each for each in odd)])}
    with closing(open_gateway(world)) as gateway:
        (found,) = fetch_connections(gateway)
    assert (found.tenant_id, found.ids) == (CONNECTION["tenantId"], ())


@pytest.mark.parametrize("name", [None, 7, {"a": "b"}, ["x"]])
def test_a_name_of_a_practice_that_is_none_is_left_out(world, name):
    world.server.answers = {"/connections": as_json([CONNECTION | {"tenantName": name}])}
    with closing(open_gateway(world)) as gateway:
        assert fetch_connections(gateway)[0].tenant_name is None


GRANT = {"access_token": "a", "refresh_token": "r", "expires_in": 1800, "scope": "offline_access"}


@pytest.mark.parametrize(
    "answer",
    [
        *(
            as_json(GRANT | {"expires_in": value})
            for value in ("soon", -1, 0, 10**400, 1.5, True, None, [], {}, math.nan, math.inf)
        ),
        *(
            as_json(GRANT | {"access_token": value})
            for value in ("a\r\nX: y", "a b", "é", "\ud800", "", 7, [], "x" * 70_000)
        ),
        *(as_json(GRANT | {"refresh_token": value}) for value in ("a\r\nX: y", "\x00", "", None, 7, {})),
        *(as_json(GRANT | {"scope": value}) for value in (7, {}, True)),
        as_json([GRANT]),
        head(kind="application/json") + codecs.BOM_UTF8 * 2 + json.dumps(GRANT).encode(),
        *(head(kind="application/json") + json.dumps(GRANT).encode(name) for name in ("utf-16", "utf-16-le", "utf-32")),
        head(kind="application/json") + b'{"access_token": "a", "access_token": [], "refresh_token": "r"}',
        head(kind="application/json") + b'{"a":' * 30_000,
        head(kind="application/json") + b'{"a":' * 100_000,
        head(kind="application/json") + b" " * 1_000_000 + json.dumps(GRANT).encode(),
        head("200 OK", "Content-Encoding: gzip") + gzip.compress(b" " * 100_000_000, 1),
        head("200 OK", "Content-Encoding: gzip") + b"no gzip",
        head("200 OK", "Transfer-Encoding: chunked") + b"zz\r\n",
        head(kind="text/html") + b"<html>" + b"x" * 10_000,
        head("302 Found", "Location: OTHER/"),
        head("307 Temporary Redirect", "Location: OTHER/"),
        b"\x16\x03\x01",
    ],
)
def test_a_token_that_is_none_is_trouble_on_the_way_and_no_secret_goes_elsewhere(world, answer):
    with HostileServer() as other:
        world.server.answers = {"/connect/token": answer.replace(b"OTHER", other.url.encode())}
        with pytest.raises(TransientError) as caught:
            open_client(world).refresh("the-refresh-token")
    assert other.requests == []
    check_error(caught.value)
    assert "the-refresh-token" not in f"{caught.value.details}"


@pytest.fixture
def sign_in_server(world, monkeypatch):
    """The hostile server is the sign-in server too; the sign-in is as it was afterwards, and nothing waits."""
    monkeypatch.setattr("xpmsync.xpm.tokens.PAUSES_SECONDS", ())
    url, secrets = read_config(world.home).xero.identity_url, world.sandbox.keychain.passwords
    before = dict(secrets)
    change_config(world.home, {"xero.identity_url": world.server.url})
    yield world.server
    change_config(world.home, {"xero.identity_url": url})
    secrets.clear()
    secrets.update(before)


def load_stored(world):
    return json.loads(world.sandbox.keychain.passwords["xpmsync", f"{load_home_id(world.home)}/sign-in"])


def test_a_token_that_begins_with_a_byte_order_mark_is_read(world, sign_in_server):
    sign_in_server.answers["/connect/token"] = (
        head(kind="application/json") + codecs.BOM_UTF8 + json.dumps(GRANT).encode()
    )
    assert say("sync")[0] == 0
    assert load_stored(world)["refresh_token"] == GRANT["refresh_token"]


@pytest.mark.parametrize("body", [json.dumps(GRANT).encode("utf-16"), json.dumps(GRANT | {"expires_in": []}).encode()])
def test_a_token_that_is_none_is_no_bug_for_sync_or_notify_and_costs_no_token(world, sign_in_server, body):
    before = load_stored(world)
    sign_in_server.answers["/connect/token"] = head(kind="application/json") + body
    assert say("sync")[0] == TransientError.exit_code
    assert say("notify")[0] == TransientError.exit_code
    assert load_stored(world)["refresh_token"] == before["refresh_token"]
    sign_in_server.answers["/connect/token"] = as_json(GRANT)
    assert say("notify")[0] == 0
    assert load_stored(world)["previous_refresh_token"] == before["refresh_token"]


def open_client(world):
    return IdentityClient(XeroSettings(client_id="an-id", identity_url=world.server.url), None)


def test_a_token_for_years_is_renewed_within_a_day(world):
    world.server.answers = {"/connect/token": as_json(GRANT | {"expires_in": 10**8})}
    assert open_client(world).refresh("r").lifetime_seconds == 86_400


def test_a_token_is_read_as_utf_8_whatever_the_answer_claims_to_be(world):
    body = json.dumps(GRANT).encode()
    world.server.answers = {"/connect/token": head(kind="application/json; charset=utf-16") + body}
    assert open_client(world).refresh("r").access_token == "a"


def test_claims_100_000_levels_deep_are_none():
    assert read_claims(f"e30.{base64.urlsafe_b64encode(b'[' * 100_000).decode()}.x") == {}


@pytest.mark.parametrize(
    "address", ["http://[", "http://[::1", "http://a]b?code=x&state=S", "?state=\udcff&code=x", "//℀?code=x&state=S"]
)
def test_what_is_pasted_and_is_no_address_is_not_taken(address):
    assert read_reply(address, "S") is None


@pytest.mark.usefixtures("world")
def test_what_is_typed_is_quoted_but_not_obeyed():
    exit_code, _, errors = say("sync", "\x1b]0;owned\x07", "\udc80")
    assert exit_code == 2
    assert "unexpected extra argument" in errors
    assert not any(character in errors for character in "\x1b\x07")


@pytest.mark.parametrize("text", [f"x = {'[' * 1000}{']' * 1000}", f"x = {'9' * 5000}"])
def test_settings_that_python_cannot_hold_are_a_mistake_in_the_settings(world, text):
    world.spare_home.data_folder.mkdir(exist_ok=True)
    world.spare_home.config_file.write_text(text)
    assert read_mail_settings(world.spare_home) is None
    with pytest.raises(ConfigurationError, match="cannot be read as TOML"):
        read_config(world.spare_home)


@pytest.mark.slow
def test_a_name_of_3_mb_is_kept_whole_and_shown_in_part(world):
    name = "Ōtaki " * 500_000
    for call in ("staff.api/list", "client.api/list"):
        content = world.right[call].replace(b"</Name>", f"{name}</Name>".encode(), 2)
        world.server.answers[call] = head() + content
    world.sync()
    assert world.rows("SELECT max(length(legal_name)) AS longest FROM clients")[0]["longest"] > 2_900_000
    for command in (("history",), ("errors",), ("status",), ("admin", "client", "list"), ("admin", "user", "list")):
        exit_code, output, _ = say(*command)
        assert exit_code == 0
        assert len(output) < 100_000
