# ruff: noqa: S113 - the sandbox is in this process; a test that waits for it shall be seen to wait
import threading
from email.utils import parsedate_to_datetime

import pytest
import requests

from xpmsync.sandbox import Practice, Switches

VARYING = {"xero-correlation-id", "date", "x-appminlimit-remaining", "x-daylimit-remaining", "x-minlimit-remaining"}


def raw_headers(answer: requests.Response) -> list[tuple[str, str]]:
    """Names in the order and case they were sent."""
    return list(answer.raw.headers.items())


def assert_headers_as_recorded(answer: requests.Response, recorded, *besides: str) -> None:
    got, expected = raw_headers(answer), recorded.headers
    assert [name for name, _ in got] == [name for name, _ in expected]
    varying = VARYING | set(besides)
    assert {n: v for n, v in got if n not in varying} == {n: v for n, v in expected if n not in varying}
    assert recorded.status_line == f"HTTP/1.1 {answer.status_code} {answer.reason}"


# Every recorded answer


def test_the_staff_list_is_the_recorded_one_byte_for_byte(serve, new_program, recording):
    recorded = recording("staff-list")
    practice = Practice()
    for each in recorded.body.decode().split("<Staff>")[1:]:
        uuid, name, email = (each.split(f"<{tag}>")[1].split("<")[0] for tag in ("UUID", "Name", "Email"))
        practice.add_staff(name, email, uuid=uuid)
    answer = new_program(serve(practice, switches=Switches(empty_elements="pair"))).connect().get("staff.api/list")
    assert answer.content == recorded.body
    names = [name for name, _ in raw_headers(answer) if name != "x-appminlimit-remaining"]  # newer than the recording
    assert names == [name for name, _ in recorded.headers]


def test_a_client_list_has_the_recorded_headers(program, recording):
    answer = program.get("client.api/list?detailed=true")
    assert_headers_as_recorded(answer, recording("client-list-detailed"), "content-length")


def test_an_expired_token_gets_the_recorded_401(sandbox, program, recording):
    recorded = recording("staff-list-token-expired")
    sandbox.clock.advance(1801)
    answer = program.get("staff.api/list")
    assert_headers_as_recorded(answer, recorded)
    instance = answer.headers["xero-correlation-id"]
    expired_at = answer.json()["Detail"].removeprefix("TokenExpired: token expired at ")
    expected = recorded.body.replace(b"70f4276e-3388-4f3f-a248-a33678dde75a", instance.encode())
    assert answer.content == expected.replace(b"04/29/2020 09:22:02", expired_at.encode())


def test_a_wrong_tenant_gets_the_recorded_403(program, recording):
    recorded = recording("staff-list-wrong-tenant")
    answer = program.get("staff.api/list", {"xero-tenant-id": "80ab2112-76dd-4d84-85a4-22259a9f0c2d"})
    assert_headers_as_recorded(answer, recorded)
    instance = answer.headers["xero-correlation-id"]
    assert answer.content == recorded.body.replace(b"bf45f849-6570-48d9-833e-47751426e1f9", instance.encode())


def test_the_call_after_the_sixtieth_of_a_minute_gets_the_recorded_429(serve, new_program, recording):
    sandbox = serve(switches=Switches(limit_minute=2))
    program = new_program(sandbox).connect()
    sandbox.clock.advance(60 - sandbox.clock.now() % 60)
    assert [program.get("staff.api/list").status_code for _ in range(3)] == [200, 200, 429]
    answer = program.get("staff.api/list")
    assert_headers_as_recorded(answer, recording("staff-list-minute-limit"), "retry-after")
    assert answer.content == b""
    assert answer.headers["x-minlimit-remaining"] == "0"
    assert 55 <= int(answer.headers["retry-after"]) <= 60


# Who may pass


def test_a_token_nobody_gave_out_is_refused_without_limit_headers(program):
    answer = program.get("staff.api/list", {"Authorization": "Bearer made-up"})
    assert answer.status_code == 401
    assert answer.json()["Detail"] == "AuthenticationUnsuccessful"
    assert answer.headers["www-authenticate"] == "Bearer error=invalid_token"
    assert not [name for name in answer.headers if name.startswith("x-")]


def test_a_missing_scope_is_a_401_that_a_refresh_does_not_cure(sandbox, new_program):
    program = new_program(sandbox).connect(scope="offline_access practicemanager.staff.read")
    assert program.get("staff.api/list").status_code == 200
    for call in ("client.api/list", "clientgroup.api/list"):
        answer = program.get(call)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "insufficient_scope"
        assert answer.json()["Detail"] == "AuthorizationUnsuccessful"


def test_the_broad_scope_is_enough_for_everything(sandbox, new_program):
    program = new_program(sandbox).connect(scope="offline_access practicemanager")
    assert [program.get(f"{each}.api/list").status_code for each in ("staff", "client", "clientgroup")] == [200] * 3


def test_no_tenant_and_a_tenant_of_another_type_are_forbidden(sandbox, new_program):
    organisation = sandbox.add_practice(Practice("A company"), tenant_type="ORGANISATION")
    program = new_program(sandbox).connect()
    assert program.get("staff.api/list", {"xero-tenant-id": ""}).status_code == 403
    assert program.get("staff.api/list", {"xero-tenant-id": organisation}).status_code == 403


@pytest.mark.parametrize("path", ["staff.api/nothing", "client.api/get", "staff.api/list/more"])
def test_an_unknown_call_is_not_found(program, path):
    assert program.get(path).status_code == 404


def test_nothing_else_is_found_either(sandbox, program):
    assert requests.get(f"{sandbox.url}/nothing").status_code == 404
    assert program.get(f"{sandbox.url}/practicemanager/3.0/staff.api/list").status_code == 404
    posted = requests.post(f"{sandbox.url}/practicemanager/3.1/staff.api/list", headers=program.bearer())
    assert posted.status_code == 404


# Limits


def test_what_is_left_is_told_and_counts_down(program):
    first, second = program.get("staff.api/list").headers, program.get("client.api/list").headers
    assert (first["x-daylimit-remaining"], second["x-daylimit-remaining"]) == ("4999", "4998")
    assert (first["x-appminlimit-remaining"], second["x-appminlimit-remaining"]) == ("9999", "9998")


def test_a_new_minute_starts_afresh(serve, new_program):
    sandbox = serve(switches=Switches(limit_minute=1))
    program = new_program(sandbox).connect()
    program.get("staff.api/list")
    refused = program.get("staff.api/list")
    sandbox.clock.advance(int(refused.headers["retry-after"]))
    assert program.get("staff.api/list").status_code == 200


def test_the_day_limit_names_itself_and_the_seconds_until_midnight(serve, new_program):
    sandbox = serve(switches=Switches(limit_day=1))
    program = new_program(sandbox).connect()
    program.get("staff.api/list")
    refused = program.get("staff.api/list")
    assert refused.headers["x-rate-limit-problem"] == "day"
    assert abs(int(refused.headers["retry-after"]) - (86400 - sandbox.clock.now() % 86400)) <= 2
    sandbox.clock.advance(int(refused.headers["retry-after"]))
    program.tokens = program.refresh().json()
    assert program.get("staff.api/list").status_code == 200


@pytest.mark.parametrize(("everywhere", "retry_after"), [(False, False), (True, True)])
def test_the_apps_minute_is_counted_over_all_tenants(serve, new_program, everywhere, retry_after):
    sandbox = serve(switches=Switches(limit_app_minute=1, retry_after_everywhere=everywhere))
    program = new_program(sandbox).connect()
    program.get("staff.api/list")
    refused = program.get("staff.api/list")
    assert refused.headers["x-rate-limit-problem"] == "appminute"
    assert ("retry-after" in refused.headers) is retry_after


def lose_answer(program) -> None:
    with pytest.raises(requests.RequestException):
        program.get("staff.api/list")


@pytest.mark.parametrize("everywhere", [False, True])
def test_more_calls_at_once_than_allowed_are_refused(serve, new_program, everywhere):
    sandbox = serve(switches=Switches(limit_concurrent=1, retry_after_everywhere=everywhere))
    program = new_program(sandbox).connect()
    with sandbox.faults.active("slow", path="staff.api", delay_seconds=20):
        arrived = len(sandbox.requests)
        slow = threading.Thread(target=lose_answer, args=(program,))
        slow.start()
        while len(sandbox.requests) == arrived or sandbox.requests[-1].status is None:
            pass
        refused = program.get("client.api/list")
        sandbox.stop()
        slow.join()
    assert refused.headers["x-rate-limit-problem"] == "concurrent"
    assert ("retry-after" in refused.headers) is everywhere


def test_a_place_among_the_calls_at_once_is_given_back(serve, new_program):
    program = new_program(serve(switches=Switches(limit_concurrent=1))).connect()
    assert [program.get("staff.api/list").status_code for _ in range(3)] == [200] * 3


def test_limit_headers_can_be_left_out(serve, new_program):
    program = new_program(serve(switches=Switches(limit_headers=False))).connect()
    assert not [name for name in program.get("staff.api/list").headers if name.startswith("x-")]
    for fault in ("rate-limit-minute", "user-revoked", "status-error"):
        with program.sandbox.faults.active(fault):
            assert not [name for name in program.get("staff.api/list").headers if name.endswith("limit-remaining")]


def test_error_keys_can_be_lower_case_and_a_401_can_have_a_content_type(serve, new_program):
    switches = Switches(error_keys_lower_case=True, unauthorized_content_type=True)
    program = new_program(serve(switches=switches)).connect()
    answer = program.get("staff.api/list", {"Authorization": "Bearer x"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"type", "title", "status", "detail", "instance", "extensions"}


# The sandbox's time, its log, its compression


def test_the_date_header_follows_the_sandboxs_clock(sandbox, program):
    before = parsedate_to_datetime(program.get("staff.api/list").headers["date"])
    sandbox.clock.advance(-3600)
    after = parsedate_to_datetime(program.get("staff.api/list").headers["date"])
    assert 3590 <= (before - after).total_seconds() <= 3601


def test_requests_are_logged_with_path_query_status_and_time(sandbox, program):
    sandbox.requests.clear()
    program.get("client.api/list?detailed=true")
    (logged,) = sandbox.requests
    assert (logged.method, logged.path) == ("GET", "/practicemanager/3.1/client.api/list")
    assert (logged.query, logged.status) == ("detailed=true", 200)
    assert abs(logged.at - sandbox.clock.now()) < 5


@pytest.mark.parametrize(
    ("switch", "accepted", "is_packed"),
    [
        (True, "gzip", True),
        (False, "gzip", False),
        (True, "br, GZIP;q=0.5", True),
        (True, "gzip;q=0, br", False),
        (True, "br", False),
    ],
)
def test_answers_are_compressed_for_a_program_that_accepts_it(serve, new_program, switch, accepted, is_packed):
    program = new_program(serve(Practice.generate(20), switches=Switches(gzip=switch))).connect()
    plain = program.get("client.api/list")
    asked = program.get("client.api/list", {"Accept-Encoding": accepted})
    assert asked.content == plain.content
    assert asked.headers.get("content-encoding") == ("gzip" if is_packed else None)
    assert "content-encoding" not in plain.headers


def test_a_stopped_sandbox_refuses_connections_and_starts_again_where_it_was(sandbox, program):
    sandbox.stop()
    with pytest.raises(requests.ConnectionError):
        program.get("staff.api/list")
    sandbox.start()
    assert program.get("staff.api/list").status_code == 200
