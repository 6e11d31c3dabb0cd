import gzip
import logging
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from xpmsync.errors import PermanentError, SignInNeeded, TransientError
from xpmsync.xpm.client import ApiClient, Call
from xpmsync.xpm.responses import DayLimitReached

RECORDINGS = Path(__file__).parent.parent / "recordings"
STAFF = Call("practicemanager/3.1/staff.api/list", "application/xml", tenant_id="a-tenant")
ADDRESS = "https://api.xero.com/practicemanager/3.1/staff.api/list"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Purse:
    """Access tokens without an identity server: t0, t1, ..."""

    def __init__(self):
        self.renewals = 0

    def access_token(self):
        return f"t{self.renewals}"

    def renew(self, rejected_access_token):
        assert rejected_access_token == self.access_token()
        self.renewals += 1
        return self.access_token()


class Run:
    """A gateway to Xero's own address, on a clock that moves when it sleeps."""

    def __init__(self):
        self.seconds = 0.0
        self.naps = []
        self.purse = Purse()
        self.gateway = ApiClient(
            "https://api.xero.com",
            self.purse,
            now=lambda: NOW,
            monotonic=lambda: self.seconds,
            sleep=self.sleep,
            deadline=3000.0,
        )

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.seconds += seconds

    def fetch(self, call=STAFF):
        return self.gateway.fetch(call, b"".join)


@pytest.fixture
def run():
    run = Run()
    yield run
    run.gateway.close()


def recorded(name):
    """A recorded answer as requests-mock takes it."""
    head, _, body = (RECORDINGS / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return {"status_code": int(status.split()[1]), "headers": headers, "content": body}


def test_a_call_carries_what_xero_wants(run, requests_mock):
    requests_mock.get(ADDRESS, content=b"<x/>")
    assert run.fetch(Call(STAFF.path, "application/xml", {"detailed": "true"}, "a-tenant")) == b"<x/>"
    sent = requests_mock.last_request
    assert sent.headers["Authorization"] == "Bearer t0"
    assert sent.headers["xero-tenant-id"] == "a-tenant"
    assert sent.headers["Accept"] == "application/xml"
    assert sent.headers["User-Agent"].startswith("xpmsync/")
    assert sent.query == "detailed=true"
    assert sent.verify  # True, or the machine's own list of authorities
    assert sent.timeout == (10, 300)
    assert sent.body is None


def test_a_line_in_netrc_does_not_take_the_tokens_place(run, requests_mock, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine api.xero.com login ann password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    requests_mock.get(ADDRESS, content=b"")
    run.fetch()
    assert requests_mock.last_request.headers["Authorization"] == "Bearer t0"


def test_the_recorded_staff_list_arrives_and_is_counted(run, requests_mock):
    requests_mock.get(ADDRESS, **recorded("staff-list"))
    body = run.fetch()
    assert body.startswith(b"<Response")
    assert body.endswith(b"</Response>")
    assert run.gateway.api_calls == 1
    assert run.gateway.bytes_received == len(body) == 2065
    assert run.gateway.first_answer_at == datetime(2020, 4, 28, 23, 48, 1, tzinfo=UTC)
    assert run.gateway.day_calls_remaining == 4994


def test_a_compressed_answer_is_counted_as_it_came(run, requests_mock):
    packed = gzip.compress(b"<x>" + b" " * 10_000 + b"</x>")
    requests_mock.get(ADDRESS, content=packed, headers={"Content-Encoding": "gzip"})
    assert len(run.fetch()) == 10_007
    assert run.gateway.bytes_received == len(packed)


def test_a_damaged_compressed_answer_is_asked_for_again(run, requests_mock):
    good = gzip.compress(b"<x/>")
    answers = [{"content": body, "headers": {"Content-Encoding": "gzip"}} for body in (b"damaged", good)]
    requests_mock.get(ADDRESS, answers)
    assert run.fetch() == b"<x/>"


def test_xeros_time_is_that_of_the_first_answer_about_a_practice(run, requests_mock):
    requests_mock.get("https://api.xero.com/connections", headers={"Date": "Sun, 01 Mar 2026 12:00:00 GMT"})
    dates = [{"headers": {"Date": f"Sun, 01 Mar 2026 12:00:0{second} GMT"}} for second in (5, 9)]
    requests_mock.get(ADDRESS, dates)
    run.fetch(Call("connections", "application/json"))
    run.fetch()
    run.fetch()
    assert run.gateway.first_answer_at == datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_an_answer_without_a_date_tells_no_time(run, requests_mock, date):
    requests_mock.get(ADDRESS, headers={} if date is None else {"Date": date})
    run.fetch()
    assert run.gateway.first_answer_at is None


def test_the_recorded_expired_token_is_renewed_once(run, requests_mock):
    requests_mock.get(ADDRESS, [recorded("staff-list-token-expired"), recorded("staff-list")])
    run.fetch()
    assert run.purse.renewals == 1
    assert [sent.headers["Authorization"] for sent in requests_mock.request_history] == ["Bearer t0", "Bearer t1"]


def test_a_token_that_is_rejected_again_is_not_renewed_for_ever(run, requests_mock):
    requests_mock.get(ADDRESS, **recorded("staff-list-token-expired"))
    with pytest.raises(PermanentError, match="just been renewed"):
        run.fetch()
    assert run.purse.renewals == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"headers": {"WWW-Authenticate": "insufficient_scope"}},
        {"json": {"Title": "Unauthorized", "Detail": "AuthorizationUnsuccessful"}},
        {"json": {"title": "Unauthorized", "detail": "AuthorizationUnsuccessful"}},
    ],
)
def test_a_missing_scope_needs_a_person_and_no_renewal(run, requests_mock, answer):
    requests_mock.get(ADDRESS, status_code=401, **answer)
    with pytest.raises(SignInNeeded, match="scope"):
        run.fetch()
    assert run.purse.renewals == 0


def test_the_recorded_refusal_names_both_permissions_and_the_correlation_id(run, requests_mock):
    requests_mock.get(ADDRESS, **recorded("staff-list-wrong-tenant"))
    with pytest.raises(PermanentError, match="refuses access to this practice") as caught:
        run.fetch()
    for name in ("XPM administration privileges", "“Connect third-party", "“Authorise 3rd Party Full Access”"):
        assert name in caught.value.remedy
    assert "bf45f849-6570-48d9-833e-47751426e1f9" in caught.value.details
    assert run.naps == []


def test_the_recorded_minute_limit_is_waited_for(run, requests_mock):
    requests_mock.get(ADDRESS, [recorded("staff-list-minute-limit"), recorded("staff-list")])
    run.fetch()
    assert run.naps == [22]
    assert run.gateway.api_calls == 2


def test_a_date_to_wait_for_is_understood(run, requests_mock):
    wish = {"status_code": 429, "headers": {"Retry-After": "Sun, 01 Mar 2026 12:00:40 GMT"}}
    requests_mock.get(ADDRESS, [wish, {}])
    run.fetch()
    assert run.naps == [40]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-rate-limit-problem": "day", "Retry-After": "66975"},
        {"x-rate-limit-problem": "day"},
        {"Retry-After": "66975"},
    ],
)
def test_the_days_limit_ends_the_run_at_once(run, requests_mock, headers):
    requests_mock.get(ADDRESS, status_code=429, headers=headers)
    with pytest.raises(DayLimitReached) as caught:
        run.fetch()
    assert caught.value.retry_after_seconds == (66975 if "Retry-After" in headers else None)
    assert (run.naps, run.gateway.api_calls) == ([], 1)


@pytest.mark.parametrize("problem", ["concurrent", "appminute", "something-new"])
def test_other_limits_are_tried_again_without_being_told_when(run, requests_mock, problem):
    requests_mock.get(ADDRESS, [{"status_code": 429, "headers": {"x-rate-limit-problem": problem}}] * 2 + [{}])
    run.fetch()
    assert run.naps == [1, 3]


@pytest.mark.parametrize("body", [{"json": {"Status": 503}}, {"text": "<html>"}, {"text": "<Response/>"}, {"text": ""}])
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_trouble_at_xero_is_tried_again_whatever_the_body_is(run, requests_mock, status, body):
    requests_mock.get(ADDRESS, [{"status_code": status, **body}, {"content": b"<x/>"}])
    assert run.fetch() == b"<x/>"
    assert run.naps == [1]


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 503},
        {"status_code": 403, "text": "<html>Access Denied</html>", "headers": {"Content-Type": "text/html"}},
        {"status_code": 200, "text": "<html>Back soon</html>", "headers": {"Content-Type": "text/html; charset=utf-8"}},
        {"status_code": 302, "headers": {"Location": "https://elsewhere.example.com/"}},
        {"exc": requests.ConnectionError},
        {"exc": requests.ConnectTimeout},
        {"exc": requests.exceptions.SSLError},
    ],
)
def test_trouble_that_does_not_pass_ends_after_a_few_tries(run, requests_mock, answer):
    requests_mock.get(ADDRESS, **answer)
    with pytest.raises(TransientError):
        run.fetch()
    assert run.naps == [1, 3, 10, 30]
    assert {sent.hostname for sent in requests_mock.request_history} == {"api.xero.com"}


@pytest.mark.parametrize(
    ("status", "kind"), [(400, PermanentError), (404, PermanentError), (405, PermanentError), (418, PermanentError)]
)
def test_a_refusal_is_not_tried_again(run, requests_mock, status, kind):
    requests_mock.get(ADDRESS, status_code=status)
    with pytest.raises(kind):
        run.fetch()
    assert run.naps == []


def test_nothing_is_tried_again_beyond_the_runs_time(run, requests_mock):
    requests_mock.get(ADDRESS, status_code=429, headers={"Retry-After": "60"})
    run.seconds = 2950.0
    with pytest.raises(TransientError):
        run.fetch()
    assert (run.naps, run.gateway.api_calls) == ([], 1)
    run.seconds = 3001.0
    with pytest.raises(TransientError, match="is over"):
        run.fetch()
    assert run.gateway.api_calls == 1


def test_whoever_takes_an_answer_starts_over_when_it_was_cut(office):
    taken = []

    def take(chunks):
        taken.append(b"")
        for chunk in chunks:
            taken[-1] += chunk
        return taken[-1]

    gateway = office.open_gateway()
    call = Call(
        "practicemanager/3.1/client.api/list", "application/xml", {"detailed": "true"}, office.sandbox.tenant_id
    )
    office.sandbox.set_switches(gzip=False)
    with office.sandbox.faults.active("cut", times=2, path="/practicemanager/3.1/client.api/list"):
        whole = gateway.fetch(call, take)
    assert len(taken) == 3
    assert whole.endswith(b"</Response>")
    assert len(taken[0]) < len(whole)
    assert gateway.bytes_received == sum(map(len, taken))


def test_what_goes_wrong_in_the_taking_is_not_tried_again(office):
    def take(chunks):
        next(chunks)
        raise ZeroDivisionError

    gateway = office.open_gateway()
    with pytest.raises(ZeroDivisionError):
        gateway.fetch(Call(STAFF.path, "application/xml", tenant_id=office.sandbox.tenant_id), take)
    assert gateway.api_calls == 1


@pytest.mark.parametrize("drip_bytes", [0, 1])
def test_a_server_that_is_slow_beyond_the_deadline_is_given_up(office, drip_bytes):
    gateway = office.open_gateway(deadline_seconds=0.5)
    delay_seconds = 0 if drip_bytes else 3
    started = time.monotonic()
    slow = {"delay_seconds": delay_seconds, "drip_bytes": drip_bytes, "drip_seconds": 0.05}
    fault = office.sandbox.faults.active("slow", path="/connections", **slow)
    with fault, pytest.raises(TransientError, match="in time"):
        gateway.fetch(Call("connections", "application/json"), b"".join)
    assert time.monotonic() - started < 2


def test_a_dead_line_is_told_without_any_token(office, caplog):
    tokens = office.connect()
    token = tokens.access_token()
    gateway = office.open_gateway(tokens)
    office.sandbox.stop()
    with caplog.at_level(logging.DEBUG), pytest.raises(TransientError, match="refuses the connection") as caught:
        gateway.fetch(Call("connections", "application/json"), b"".join)
    assert token not in f"{caught.value}{caught.value.details}{caplog.text}"
