"""The mark that spares the watchman a look into the keyring: there whenever something may be half done."""

import pytest

from xpmsync.credentials.refresh_marker import find_mark
from xpmsync.errors import KeyringError, TransientError


@pytest.fixture
def mark(office):
    return find_mark(office.lock)


def test_the_mark_is_there_for_as_long_as_a_renewal_is_under_way(office, mark):
    office.connect()
    assert not mark.exists()
    seen = []
    refresh = office.client.refresh

    class Client:
        def refresh(self, token):
            seen.append(mark.stat().st_mode & 0o777)
            return refresh(token)

    office.open_tokens(client=Client()).access_token()
    assert seen == [0o600]
    assert not mark.exists()
    assert '"intent_at": null' in office.stored()


def test_the_mark_stays_where_a_renewal_was_cut_off_and_goes_when_it_is_finished(office, mark):
    tokens = office.connect()
    with office.sandbox.faults.active("answer-lost", path="/connect/token"), pytest.raises(TransientError):
        tokens.access_token()
    assert mark.exists()
    assert '"intent_at": "20' in office.stored()
    office.open_tokens().finish_pending()
    assert not mark.exists()


def test_a_mark_that_a_crash_has_left_behind_is_cleared(office, mark):
    tokens = office.connect()
    mark.touch()
    calls = office.count_calls("/connect/token")
    tokens.finish_pending()
    assert not mark.exists()
    assert office.count_calls("/connect/token") == calls


def test_a_mark_that_cannot_be_removed_is_no_error(office, mark):
    tokens = office.connect()
    mark.mkdir()
    tokens.finish_pending()


def test_connecting_again_and_disconnecting_clear_the_mark(office, mark):
    office.connect()
    mark.touch()
    tokens = office.connect()
    assert not mark.exists()
    mark.touch()
    tokens.forget()
    assert not mark.exists()


@pytest.mark.parametrize("name", ["mark", "lock"])
def test_nothing_is_renewed_where_the_mark_or_the_lock_cannot_be_made(office, mark, name):
    tokens = office.connect()
    calls = office.count_calls("/connect/token")
    file = {"mark": mark, "lock": office.lock}[name]
    file.unlink(missing_ok=True)
    file.mkdir()
    with pytest.raises(KeyringError, match=f"{file} cannot be used: it is a folder") as caught:
        tokens.access_token()
    assert f"move it away: mv {file} " in caught.value.remedy
    assert office.count_calls("/connect/token") == calls
    file.rmdir()
    tokens.access_token()
