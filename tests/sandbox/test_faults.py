# ruff: noqa: S113 - the sandbox is in this process; a test that waits for it shall be seen to wait
import time

import pytest
import requests
from lxml import etree

from xpmsync.sandbox import FAULTS, Practice

STAFF = "staff.api/list"
CLIENTS = "client.api/list?detailed=true"


@pytest.fixture
def busy(serve, new_program):
    """A program connected to a practice of some size."""
    return new_program(serve(Practice.generate(60))).connect()


# Start, end, and where


def test_a_fault_runs_until_it_is_stopped(sandbox, program):
    fault = sandbox.faults.start("error-503")
    assert [program.get(STAFF).status_code for _ in range(3)] == [503] * 3
    sandbox.faults.stop(fault)
    assert program.get(STAFF).status_code == 200


def test_a_fault_can_run_for_a_number_of_answers_after_others_went_well(sandbox, program):
    sandbox.faults.start("error-503", after=1, times=2)
    assert [program.get(STAFF).status_code for _ in range(4)] == [200, 503, 503, 200]
    assert sandbox.faults.running() == []


def test_a_fault_can_be_limited_to_a_part_of_path_or_query(sandbox, program):
    with sandbox.faults.active("error-503", path="detailed=true"):
        assert program.get(CLIENTS).status_code == 503
        assert program.get("client.api/list").status_code == 200
    assert program.get(CLIENTS).status_code == 200


def test_by_itself_a_fault_leaves_the_consent_page_and_the_controls_alone(sandbox, new_program):
    with sandbox.faults.active("error-503"):
        assert new_program(sandbox).code()
        assert requests.get(f"{sandbox.url}/sandbox/state").status_code == 200
        assert new_program(sandbox).refresh("x").status_code == 503


def test_faults_stop_by_name_or_all_at_once_and_underscores_are_hyphens(sandbox):
    for name in ("slow", "cut", "cut", "empty_list"):
        sandbox.faults.start(name)
    sandbox.faults.stop("cut")
    assert [fault.name for fault in sandbox.faults.running()] == ["slow", "empty-list"]
    sandbox.faults.stop("empty_list")
    sandbox.faults.stop()
    assert sandbox.faults.running() == []


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("eror-503", {}, "Did you mean 'error-503'"),
        ("error-503", {"from": "html"}, "has no option 'from'"),
        ("error-503", {"form": "pdf"}, "'form' is one of json, html, xml, empty"),
        ("rate-limit-day", {"retry_after": "soon"}, "a whole number or null"),
        ("cut", {"at": "half"}, "a number"),
        ("external-entity", {"target": 7}, "a text"),
    ],
)
def test_a_wrong_fault_is_refused_with_a_hint(sandbox, name, options, words):
    with pytest.raises(ValueError, match=words):
        sandbox.faults.start(name, **options)


# Connections


def test_a_reset_comes_before_the_server_acts(sandbox, program):
    with sandbox.faults.active("connection-reset"), pytest.raises(requests.ConnectionError):
        program.refresh()
    assert sandbox.requests[-1].status is None
    assert program.refresh().status_code == 200
    sandbox.clock.advance(31 * 60)
    assert program.refresh().status_code == 400  # the first use was after the reset, not before


def test_an_answer_is_lost_after_the_server_has_acted(sandbox, program):
    with sandbox.faults.active("answer-lost", path="/connect/token"), pytest.raises(requests.ConnectionError):
        program.refresh()
    sandbox.clock.advance(31 * 60)
    assert program.refresh().json() == {"error": "invalid_grant"}  # used up by the answer that never came


def test_a_lost_answer_of_the_api_counts_against_the_limits(sandbox, program):
    with sandbox.faults.active("answer-lost"), pytest.raises(requests.ConnectionError):
        program.get(STAFF)
    assert program.get(STAFF).headers["x-daylimit-remaining"] == "4998"


def test_an_answer_can_come_late(sandbox, program):
    with sandbox.faults.active("slow", delay_seconds=0.2):
        started = time.monotonic()
        program.get(STAFF)
        assert time.monotonic() - started >= 0.2
    with sandbox.faults.active("slow", delay_seconds=5), pytest.raises(requests.ReadTimeout):
        program.get(STAFF, timeout=0.1)


def test_an_answer_can_come_in_drops_that_no_read_time_out_ends(sandbox, program):
    with sandbox.faults.active("slow", delay_seconds=0, drip_bytes=100, drip_seconds=0.02):
        answer = program.get(STAFF, timeout=0.5)
    assert answer.elapsed.total_seconds() < 0.5
    assert answer.content == program.get(STAFF).content


@pytest.mark.parametrize("name", ["cut", "cut-chunked"])
def test_a_cut_answer_with_a_length_or_in_chunks_ends_in_an_error(sandbox, program, name):
    with sandbox.faults.active(name, path=STAFF), pytest.raises(requests.exceptions.ChunkedEncodingError):
        program.get(STAFF)


def test_a_cut_answer_without_a_length_looks_complete(sandbox, program):
    whole = program.get(STAFF).content
    with sandbox.faults.active("cut-without-length", at=0.25):
        cut = program.get(STAFF)
    assert cut.status_code == 200
    assert cut.content == whole[: len(whole) // 4]
    assert "content-length" not in cut.headers


def test_a_large_answer_is_cut_where_it_is_said(busy):
    whole = busy.get(CLIENTS).content
    with busy.sandbox.faults.active("cut-without-length", at=0.9):
        assert len(busy.get(CLIENTS, {"Accept-Encoding": "gzip"}).content) == int(len(whole) * 0.9)


# Limits


@pytest.mark.parametrize(
    ("name", "retry_after"),
    [
        ("rate-limit-minute", "22"),
        ("rate-limit-day", "66975"),
        ("rate-limit-concurrent", None),
        ("rate-limit-appminute", None),
    ],
)
def test_each_limit_can_be_reached_on_demand(sandbox, program, name, retry_after):
    with sandbox.faults.active(name):
        answer = program.get(STAFF)
    assert (answer.status_code, answer.content) == (429, b"")
    assert answer.headers["x-rate-limit-problem"] == name.removeprefix("rate-limit-")
    assert answer.headers.get("retry-after") == retry_after
    assert answer.headers["server"] == "nginx"
    with sandbox.faults.active(name, retry_after=None):
        assert "retry-after" not in program.get(STAFF).headers


# Trouble at Xero


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(
    ("form", "content_type", "begins"),
    [
        ("json", "application/json", b"{"),
        ("html", "text/html; charset=utf-8", b"<html>"),
        ("xml", "text/xml; charset=utf-8", b"<Response>"),
        ("empty", None, b""),
    ],
)
def test_server_errors_have_bodies_of_every_form(sandbox, program, status, form, content_type, begins):
    with sandbox.faults.active(f"error-{status}", form=form):
        answer = program.get(STAFF)
    assert (answer.status_code, answer.headers.get("content-type")) == (status, content_type)
    assert answer.content.startswith(begins)
    assert bool(answer.content) is bool(begins)


def test_a_firewall_answers_403_in_html_at_the_token_endpoint_too(sandbox, program):
    with sandbox.faults.active("firewall"):
        for answer in (program.get(STAFF), program.refresh()):
            assert answer.status_code == 403
            assert "Access Denied" in answer.text
    assert program.refresh().status_code == 200


def test_a_200_can_be_an_html_page_or_a_status_error(sandbox, program):
    with sandbox.faults.active("html-page"):
        answer = program.get(STAFF)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    with sandbox.faults.active("status-error", description="Unable to <process>"):
        answer = program.get(STAFF)
    assert answer.status_code == 200
    assert b"<Status>ERROR</Status><ErrorDescription>Unable to &lt;process&gt;</ErrorDescription>" in answer.content


# Access


def test_an_access_token_dies_in_the_middle_of_a_run_and_a_refresh_cures_it(sandbox, program):
    sandbox.faults.start("token-expired", after=2)
    answers = [program.get(STAFF) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 401, 401]
    assert answers[2].json()["Detail"].startswith("TokenExpired: token expired at ")
    program.tokens = program.refresh().json()
    assert program.get(STAFF).status_code == 200


def test_an_access_token_dies_behind_another_fault_too(sandbox, program):
    sandbox.faults.start("error-503", times=1)
    sandbox.faults.start("token-expired")
    assert [program.get(STAFF).status_code for _ in range(2)] == [503, 401]


def test_a_rejected_token_is_rejected_again_after_a_refresh(sandbox, program):
    with sandbox.faults.active("token-rejected"):
        assert program.get(STAFF).json()["Detail"] == "AuthenticationUnsuccessful"
        program.tokens = program.refresh().json()
        assert program.get(STAFF).status_code == 401


def test_a_missing_scope_and_a_lost_right_can_be_played(sandbox, program):
    with sandbox.faults.active("insufficient-scope"):
        answer = program.get(STAFF)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "insufficient_scope")
    with sandbox.faults.active("user-revoked"):
        answer = program.get(STAFF)
    assert (answer.status_code, answer.json()["Title"]) == (403, "Forbidden")
    assert [name for name in answer.headers if name.startswith("x-")] == ["x-appminlimit-remaining"]


@pytest.mark.parametrize(
    "name",
    ["invalid-grant", "invalid-client", "unauthorized-client", "unsupported-grant-type", "invalid-scope"],
)
def test_the_token_endpoint_can_refuse_without_the_grant_being_dead(sandbox, program, name):
    with sandbox.faults.active(name):
        answer = program.refresh()
        assert program.get(STAFF).status_code == 200
    assert (answer.status_code, answer.json()) == (400, {"error": name.replace("-", "_")})
    assert program.refresh().status_code == 200


# Content


def count(answer: requests.Response, tag: str) -> int:
    return len(list(etree.fromstring(answer.content).iter(tag)))


def test_lists_can_be_empty_or_thin(busy):
    with busy.sandbox.faults.active("empty-list"):
        answer = busy.get(CLIENTS)
        assert b"<Clients /></Response>" in answer.content
        assert answer.headers["content-length"] == str(len(answer.content))
    with busy.sandbox.faults.active("thin-list", keep=7):
        assert count(busy.get(CLIENTS), "Client") == 7
    with busy.sandbox.faults.active("thin-list", path=STAFF, keep=2):
        assert count(busy.get(STAFF), "Staff") == 2
        assert count(busy.get(CLIENTS), "Client") == 60


def test_the_tax_block_can_be_absent_for_all(busy):
    with busy.sandbox.faults.active("no-tax-block"):
        answer = busy.get(CLIENTS)
    assert count(answer, "Client") == 60
    for tag in ("TaxNumber", "BusinessNumber", "BusinessStructure", "ActiveAtoClient"):
        assert count(answer, tag) == 0
    assert count(answer, "ClientCode") > 0


def test_the_groups_of_clients_can_be_without_ids(busy):
    with busy.sandbox.faults.active("no-group-ids"):
        clients, groups = busy.get(CLIENTS), busy.get("clientgroup.api/list")
    assert count(clients, "Group") > 0
    assert b"<Group><Name>" in clients.content
    assert count(clients, "UUID") > 60  # their own, and those of contacts
    assert b"<Group><UUID>" in groups.content


@pytest.mark.parametrize("name", ["malformed-xml", "truncated-xml", "control-character", "wrong-encoding"])
def test_xml_that_cannot_be_read_comes_in_a_well_ended_answer(busy, name):
    with busy.sandbox.faults.active(name):
        answer = busy.get(STAFF)
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(answer.content)))
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(answer.content)
    etree.fromstring(busy.get(STAFF).content)


def test_wrong_encoding_is_latin_1_announced_as_utf_8(sandbox, program):
    with sandbox.faults.active("wrong-encoding"):
        answer = program.get(STAFF)
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert "Café" in answer.content.decode("latin-1")


def test_an_external_entity_reads_a_file_for_a_careless_parser_alone(sandbox, program, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    with sandbox.faults.active("external-entity", target=secret.as_uri()):
        content = program.get(STAFF).content
    careless = etree.XMLParser(resolve_entities=True, load_dtd=True)
    assert "hunter2" in etree.tostring(etree.fromstring(content, careless), encoding="unicode")
    careful = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    assert "hunter2" not in etree.tostring(careful, encoding="unicode")


def test_a_billion_laughs_are_refused_by_a_careful_parser(sandbox, program):
    with sandbox.faults.active("billion-laughs"):
        content = program.get(STAFF).content
    assert len(content) < 10_000
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(content)


def test_the_next_page_can_point_to_another_host(busy):
    with busy.sandbox.faults.active("foreign-next-page", host="https://evil.example.com"):
        root = etree.fromstring(busy.get("client.api/paged-list?pageSize=5").content)
    assert root.findtext("Pagination/Links/Next").startswith("https://evil.example.com/practicemanager/3.1/")


def test_a_refusal_stays_a_refusal_while_content_is_spoilt(sandbox, program):
    with sandbox.faults.active("truncated-xml"):
        assert program.get(STAFF, {"Authorization": "x"}).status_code == 401


def test_several_faults_run_together(busy):
    with (
        busy.sandbox.faults.active("thin-list", keep=3),
        busy.sandbox.faults.active("cut-without-length", at=1.0),
        busy.sandbox.faults.active("slow", delay_seconds=0.01),
    ):
        answer = busy.get(CLIENTS)
    assert count(answer, "Client") == 3
    assert "content-length" not in answer.headers


def test_every_fault_says_what_it_does():
    assert all(kind.meaning.endswith(".") for kind in FAULTS.values())
