import dataclasses
import importlib.util
import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from xpmsync.config import Config
from xpmsync.errors import ConfigurationError, KeyringError, PermanentError, SignInNeeded, TransientError
from xpmsync.home import find_home, prepare_home
from xpmsync.system.lock import hold
from xpmsync.xpm.oauth import InvalidGrant
from xpmsync.xpm.sign_in import describe_sign_in
from xpmsync.xpm.tokens import Tokens, TrialTokens, open_tokens

PROGRAM = Path(__file__).parent / "refresh.py"
_specification = importlib.util.spec_from_file_location("refresh", PROGRAM)
refresh = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(refresh)

REPLAYS = ["new", "same"]


class Killed(BaseException):
    """The process ends here, as far as the code can tell."""


def refresh_until(office, fatal_step):
    """Refresh in this process and end at a step, as a kill would."""

    def reach(step):
        if step == fatal_step:
            raise Killed

    steps = refresh.Steps(office.open_vault(), office.client, reach)
    office.open_tokens(vault=steps, client=steps, sleep=steps.sleep).access_token()


def lose_answers(office, fatal_step):
    """The fault that belongs to a step, if any."""
    if fatal_step == "answer lost":
        office.sandbox.faults.start("answer-lost", path="/connect/token", times=1)


def run_program(office, *orders):
    """Run the program of processes; returns how each of them ended."""
    arguments = [sys.executable, PROGRAM, office.folder, office.sandbox.url, *orders]
    program = subprocess.run(arguments, check=True, capture_output=True, text=True)
    assert program.stderr == ""
    return [int(code) for code in program.stdout.split()]


def live_on(office, *others):
    """What cron's two lines do afterwards: `notify` within ten minutes, then `sync` every hour."""
    homes = (office, *others)
    office.pass_time(minutes=10)
    for home in homes:
        if home.is_pending():
            home.open_tokens().finish_pending()
        assert not home.is_pending()
    for _ in range(2):
        office.pass_time(hours=1)
        for home in homes:
            office.sandbox.identity.check(f"Bearer {home.open_tokens().access_token()}")


# The usual life


def test_an_access_token_is_fetched_at_the_first_use_and_kept_in_memory(office):
    tokens = office.connect()
    calls = office.count_calls("/connect/token")
    first = tokens.access_token()
    assert tokens.access_token() == first
    assert office.count_calls("/connect/token") == calls + 1
    assert first not in office.stored()


@pytest.mark.parametrize(("lifetime_seconds", "kept_seconds"), [(1_800, 1_740), (120, 60), (20, 10)])
def test_it_is_refreshed_a_minute_before_its_end_or_after_half_a_short_life(office, lifetime_seconds, kept_seconds):
    office.sandbox.set_switches(access_token_seconds=lifetime_seconds)
    office.connect()
    started_at = office.now()
    clock = iter([0, 0, 0, kept_seconds - 1, kept_seconds, kept_seconds, kept_seconds, kept_seconds])
    tokens = Tokens(
        office.open_vault(), office.client, office.lock, now=lambda: started_at + timedelta(seconds=next(clock))
    )
    first = tokens.access_token()
    assert tokens.access_token() == first
    assert tokens.access_token() != first


def test_a_rejected_token_is_replaced_once_however_often_it_is_named(office):
    tokens = office.connect()
    first = tokens.access_token()
    second = tokens.renew(first)
    assert second != first
    assert tokens.renew(first) == second


def test_every_refresh_stores_the_new_token_beside_the_one_before(office):
    tokens = office.connect()
    connected = json.loads(office.stored())
    assert connected["refreshed_at"] == connected["connected_at"]
    office.pass_time(hours=1)
    tokens.access_token()
    stored = json.loads(office.stored())
    assert stored["refreshed_at"] > connected["refreshed_at"]
    assert stored["connected_at"] == connected["connected_at"]
    assert stored["previous_refresh_token"] == connected["refresh_token"] != stored["refresh_token"]
    assert stored["previous_used_at"] is not None
    assert stored["intent_at"] is None
    assert list(office.sandbox.keychain.passwords) == [("xpmsync", "home/sign-in")]


@pytest.mark.parametrize(("granted", "expected"), [((), ["one", "two"]), (("two",), ["two"])])
def test_the_scopes_are_those_of_the_last_answer_that_named_any(office, granted, expected):
    office.open_tokens().save_sign_in(
        dataclasses.replace(office.consent(), scopes=("one", "two")), practice_name="The Practice"
    )

    class Client:
        def refresh(self, token):
            return dataclasses.replace(office.client.refresh(token), scopes=granted)

    office.open_tokens(client=Client()).access_token()
    assert json.loads(office.stored())["scopes"] == expected


def test_an_hour_after_hour_sign_in_lives_for_a_year(office):
    tokens = office.connect()
    for _ in range(7):
        office.pass_time(days=55)
        tokens = office.open_tokens()
        office.sandbox.identity.check(f"Bearer {tokens.access_token()}")


def test_what_is_told_about_it_holds_no_secret(office):
    tokens = office.connect()
    tokens.access_token()
    told = describe_sign_in(office.open_vault())
    stored = json.loads(office.stored())
    assert told.practice_name == "The Practice"
    assert told.scopes == ("offline_access", "practicemanager.staff.read", "practicemanager.client.read")
    assert abs(told.connected_at - office.now()) < timedelta(minutes=1)
    assert told.pending_since is None
    assert told.user_id
    for name in ("refresh_token", "previous_refresh_token"):
        assert stored[name] not in repr(told)
        assert stored[name] not in repr(vars(tokens))


def test_nothing_is_told_where_nobody_has_signed_in(office):
    tokens = office.open_tokens()
    assert describe_sign_in(office.open_vault()) is None
    assert not office.is_pending()
    for ask in (tokens.access_token, tokens.finish_pending):
        with pytest.raises(SignInNeeded, match=r"^xpmsync is not connected to Xero Practice Manager") as caught:
            ask()
        assert caught.value.remedy == "Run: xpmsync connect"


def test_forgetting_leaves_nothing_behind(office):
    tokens = office.connect()
    tokens.access_token()
    tokens.forget()
    assert office.sandbox.keychain.passwords == {}
    with pytest.raises(SignInNeeded):
        tokens.access_token()


def test_what_a_later_version_adds_is_no_trouble(office):
    tokens = office.connect()
    stored = json.loads(office.stored()) | {"something_new": 1}
    office.open_vault().write("sign-in", json.dumps(stored))
    tokens.access_token()


@pytest.mark.parametrize("value", ["", "?", "[]", "{}", '"text"', '{"refresh_token": "secret"}', "secret"])
def test_a_stored_value_that_is_none_asks_for_a_new_sign_in_and_is_kept(office, value):
    tokens = office.connect()
    office.open_vault().write("sign-in", value)
    with pytest.raises(SignInNeeded) as caught:
        tokens.access_token()
    assert "secret" not in f"{caught.value}{caught.value.details}"
    assert office.stored() == value


def test_a_sign_in_on_trial_is_used_and_not_kept(office):
    tokens = TrialTokens(office.consent())
    office.sandbox.identity.check(f"Bearer {tokens.access_token()}")
    with pytest.raises(SignInNeeded, match=r"^Xero does not accept the sign-in that it has just given") as caught:
        tokens.renew(tokens.access_token())
    assert "Run: xpmsync connect" in caught.value.remedy
    assert office.sandbox.keychain.passwords == {}


def test_the_tokens_of_a_home_use_its_lock_its_app_and_the_clock_they_are_given(office):
    web = dataclasses.replace(office, client_id="web-app", client_secret="a-secret-of-the-web-app")
    web.connect()
    home = find_home({"XPMSYNC_HOME": str(office.folder / "home")})
    prepare_home(home)
    vault = web.open_vault()
    vault.write("client-secret", web.client_secret)
    web.skew = timedelta(days=1)
    tokens = open_tokens(home, Config(xero=web.settings), vault, now=web.now, sleep=web.naps.append)
    with office.sandbox.faults.active("answer-lost", path="/connect/token", times=1):
        office.sandbox.identity.check(f"Bearer {tokens.access_token()}")
    assert web.naps == [1]
    assert home.sign_in_lock.exists()
    assert datetime.fromisoformat(json.loads(web.stored())["refreshed_at"]) > web.now() - timedelta(minutes=5)


def test_revoking_ends_the_grant_at_xero_and_forgets_nothing_here(office):
    tokens = office.connect()
    tokens.revoke()
    assert office.stored()
    with pytest.raises(SignInNeeded, match=r"^Xero no longer accepts"):
        office.open_tokens().access_token()


def test_revoking_a_grant_that_has_ended_meanwhile_is_no_error(office):
    class Client:
        refresh = office.client.refresh

        def revoke(self, _token):
            raise InvalidGrant

    office.connect()
    office.open_tokens(client=Client()).revoke()


# Crashes


@pytest.mark.parametrize("replay", REPLAYS)
@pytest.mark.parametrize("step", refresh.STEPS)
def test_a_crash_at_any_step_is_survived(office, step, replay):
    office.sandbox.set_switches(replayed_refresh=replay)
    office.connect()
    lose_answers(office, step)
    with pytest.raises(Killed):
        refresh_until(office, step)
    live_on(office)


@pytest.mark.parametrize("skew", [timedelta(days=-1), timedelta(days=1)], ids=["back", "ahead"])
@pytest.mark.parametrize("step", refresh.STEPS)
def test_a_crash_is_survived_when_the_clock_is_moved_meanwhile(office, step, skew):
    office.connect()
    lose_answers(office, step)
    with pytest.raises(Killed):
        refresh_until(office, step)
    office.skew = skew
    live_on(office)


@pytest.mark.parametrize("replay", REPLAYS)
def test_crash_after_crash_is_survived(office, replay):
    office.sandbox.set_switches(replayed_refresh=replay)
    office.connect()
    for step in refresh.STEPS:
        lose_answers(office, step)
        with pytest.raises(Killed):
            refresh_until(office, step)
        office.pass_time(minutes=3)
    live_on(office)


@pytest.mark.slow
@pytest.mark.parametrize("replay", REPLAYS)
def test_a_killed_process_is_survived_at_every_step(office, replay):
    office.sandbox.set_switches(replayed_refresh=replay)
    homes = {step: dataclasses.replace(office, home_id=step.replace(" ", "-")) for step in refresh.STEPS}
    for home in homes.values():
        home.connect()
    lose_answers(office, refresh.STEPS[0])
    ends = run_program(office, *(f"{home.home_id}={step}" for step, home in homes.items()))
    assert ends == [-signal.SIGKILL] * len(homes)
    live_on(*homes.values())


def test_a_machine_that_is_off_for_longer_than_the_grace_needs_a_person(office):
    office.connect()
    with pytest.raises(Killed):
        refresh_until(office, "answer received")
    office.pass_time(minutes=31)
    before = json.loads(office.stored())
    tokens = office.open_tokens()
    with pytest.raises(SignInNeeded, match="no longer accepts"):
        tokens.finish_pending()
    assert json.loads(office.stored()) == before | {"intent_at": None}
    assert not office.is_pending()


def test_a_crash_leaves_word_of_it_and_an_ordinary_refresh_does_not(office):
    tokens = office.connect()
    tokens.access_token()
    assert not office.is_pending()
    with pytest.raises(Killed):
        refresh_until(office, "answer received")
    assert office.is_pending()
    assert abs(describe_sign_in(office.open_vault()).pending_since - office.now()) < timedelta(minutes=1)
    calls = office.count_calls("/connect/token")
    tokens.finish_pending()
    tokens.finish_pending()
    assert office.count_calls("/connect/token") == calls + 1


def test_the_lock_is_free_after_a_crash(office):
    office.connect()
    with pytest.raises(Killed):
        refresh_until(office, "intent stored")
    with hold(office.lock) as had:
        assert had


@pytest.mark.slow
def test_twenty_programs_at_once_refresh_one_after_the_other(office):
    office.sandbox.set_switches(replay_grace_seconds=0)  # a token that is used twice is lost
    office.connect()
    calls = office.count_calls("/connect/token")
    assert run_program(office, "--at-once", *["home="] * 20) == [0] * 20
    assert office.count_calls("/connect/token") == calls + 20
    office.open_tokens().access_token()


def test_threads_of_one_program_get_on_with_each_other(office):
    tokens = office.connect()
    with ThreadPoolExecutor(8) as pool:
        for token in pool.map(lambda _: tokens.access_token(), range(8)):
            office.sandbox.identity.check(f"Bearer {token}")


# Trouble on the way


@pytest.mark.parametrize("replay", REPLAYS)
def test_a_lost_answer_is_asked_for_again_in_the_same_run(office, replay):
    office.sandbox.set_switches(replayed_refresh=replay)
    tokens = office.connect()
    with office.sandbox.faults.active("answer-lost", path="/connect/token", times=2):
        office.sandbox.identity.check(f"Bearer {tokens.access_token()}")
    assert office.naps == [1, 5]


@pytest.mark.parametrize(
    "fault", ["connection-reset", "answer-lost", "firewall", "html-page", "error-500", "error-503", "error-504"]
)
def test_passing_trouble_costs_nothing_but_time(office, fault):
    tokens = office.connect()
    before = json.loads(office.stored())
    with office.sandbox.faults.active(fault, path="/connect/token"):
        for _ in range(3):
            with pytest.raises(TransientError):
                tokens.access_token()
            office.pass_time(minutes=6)
    stored = json.loads(office.stored())
    assert stored["refresh_token"] == before["refresh_token"]
    assert office.is_pending()
    live_on(office)


def test_a_wish_to_wait_is_honoured_up_to_a_limit(office):
    tokens = office.connect()
    for seconds in (9, 60, 61):
        fault = office.sandbox.faults.active("rate-limit-minute", path="/connect/token", retry_after=seconds)
        with fault, pytest.raises(TransientError) as caught:
            tokens.access_token()
        assert caught.value.retry_after_seconds == seconds
    assert office.naps == [9, 9, 60, 60]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("invalid-client", ConfigurationError),
        ("unauthorized-client", ConfigurationError),
        ("unsupported-grant-type", PermanentError),
        ("invalid-scope", PermanentError),
    ],
)
def test_wrong_settings_leave_the_sign_in_as_it_was(office, fault, kind):
    tokens = office.connect()
    before = office.stored()
    with office.sandbox.faults.active(fault), pytest.raises(kind):
        tokens.access_token()
    assert office.stored() == before
    tokens.access_token()


def test_wrong_settings_do_not_hide_an_answer_that_was_lost_before(office):
    tokens = office.connect()
    with pytest.raises(Killed):
        refresh_until(office, "answer received")
    with office.sandbox.faults.active("invalid-client"), pytest.raises(ConfigurationError):
        tokens.access_token()
    assert office.is_pending()
    live_on(office)


@pytest.mark.parametrize(
    ("fault", "error"), [("invalid-client", ConfigurationError), ("invalid-scope", PermanentError)]
)
def test_a_definite_no_after_a_lost_answer_leaves_the_refresh_to_the_watchman(office, fault, error):
    office.connect()
    tokens = office.open_tokens()
    with (
        office.sandbox.faults.active("answer-lost", path="/connect/token", times=1),
        office.sandbox.faults.active(fault, after=1, times=1),
        pytest.raises(error),
    ):
        tokens.access_token()
    assert office.is_pending()
    live_on(office)


def test_a_dead_grant_needs_a_person_and_deletes_nothing(office):
    tokens = office.connect()
    tokens.access_token()
    before = office.stored()
    office.client.revoke(json.loads(before)["refresh_token"])
    calls = office.count_calls("/connect/token")
    with pytest.raises(SignInNeeded, match=r"^Xero no longer accepts this sign-in") as caught:
        office.open_tokens().access_token()
    assert caught.value.happened.endswith(" stopped in the middle of a refresh for longer than Xero waits.")
    assert caught.value.remedy.startswith("Run: xpmsync connect")
    assert office.stored() == before
    assert office.count_calls("/connect/token") == calls + 2  # this token and the one before, each once


class Overtaken:
    """A second machine that shares the keyring, and not the lock: it stores `latest` while this one asks Xero."""

    remedy = ""

    def __init__(self, office, latest):
        self.client, self.vault, self.latest, self.asked = office.client, office.open_vault(), latest, 0

    def read(self, name):
        return self.vault.read(name)

    def write(self, name, value):
        self.vault.write(name, value)

    def refresh(self, refresh_token):
        self.asked += 1
        if self.asked == 1:
            self.vault.write("sign-in", self.latest)
        return self.client.refresh(refresh_token)


def overtake(office):
    """Let a second machine be one refresh ahead, beyond the grace."""
    office.connect()
    old = office.stored()
    office.open_tokens().access_token()
    latest = office.stored()
    office.open_vault().write("sign-in", old)
    office.pass_time(minutes=31)
    return Overtaken(office, latest)


def test_a_refused_token_counts_only_after_storage_was_read_again(office):
    machine = overtake(office)
    access_token = office.open_tokens(vault=machine, client=machine).access_token()
    office.sandbox.identity.check(f"Bearer {access_token}")
    assert machine.asked == 2
    live_on(office)


@pytest.mark.parametrize("fault", ["invalid-client", "invalid-grant"])
def test_a_failure_does_not_put_an_older_value_in_the_place_of_a_newer_one(office, fault):
    machine = overtake(office)
    with office.sandbox.faults.active(fault), pytest.raises((ConfigurationError, SignInNeeded)):
        office.open_tokens(vault=machine, client=machine).access_token()
    assert office.stored() == machine.latest


def test_the_previous_token_helps_when_the_current_one_fails(office):
    """The keyring says that it holds the new token, and after a reboot holds a wrong one."""
    office.connect().access_token()
    stored = json.loads(office.stored())
    office.open_vault().write("sign-in", json.dumps(stored | {"refresh_token": "never-seen-by-xero"}))
    office.pass_time(minutes=20)
    office.sandbox.identity.check(f"Bearer {office.open_tokens().access_token()}")
    assert json.loads(office.stored())["previous_used_at"] == stored["previous_used_at"]
    live_on(office)


# Trouble with the keyring


@pytest.mark.parametrize(
    "fault",
    [
        "keyring-locked",
        "keyring-missing",
        "keyring-init-error",
        "keyring-runtime-error",
        "keyring-full",
        "keyring-forgets",
    ],
)
def test_a_keyring_in_trouble_is_found_out_before_xero_is_asked(office, fault):
    tokens = office.connect()
    before, calls = office.stored(), office.count_calls("/connect/token")
    with office.sandbox.faults.active(fault), pytest.raises(KeyringError) as caught:
        tokens.access_token()
    if fault == "keyring-forgets":
        assert caught.value.happened == "The keyring did not keep what xpmsync stored in it."
        assert caught.value.remedy == office.open_vault().remedy
    assert office.stored() == before
    assert office.count_calls("/connect/token") == calls
    tokens.access_token()


@pytest.mark.parametrize("replay", REPLAYS)
@pytest.mark.parametrize("fault", ["keyring-locked", "keyring-full", "keyring-forgets"])
def test_a_keyring_that_fails_after_the_answer_is_told_at_once_and_put_right_later(office, fault, replay):
    office.sandbox.set_switches(replayed_refresh=replay)
    office.connect()

    def reach(step):
        if step == "answer received":
            office.pass_time(minutes=5)  # Xero counts from when it was asked
            office.sandbox.faults.start(fault)

    steps = refresh.Steps(office.open_vault(), office.client, reach)
    with pytest.raises(KeyringError, match="renewed the sign-in, and the keyring did not take it") as caught:
        office.open_tokens(vault=steps, client=steps).access_token()
    asked_at = datetime.fromisoformat(json.loads(office.stored())["intent_at"])
    assert f"{(asked_at + timedelta(minutes=30)).astimezone():%H:%M} (30 minutes)" in caught.value.remedy
    assert caught.value.remedy.endswith("later, run: xpmsync connect")
    assert bool(caught.value.details) is (fault != "keyring-forgets")
    office.pass_time(minutes=12)
    with pytest.raises(KeyringError):
        office.open_tokens().access_token()
    office.sandbox.faults.stop()
    live_on(office)


def test_a_keyring_that_hangs_is_given_up(office):
    office.connect()
    with office.sandbox.faults.active("keyring-hangs"), pytest.raises(KeyringError, match="not answered"):
        office.open_tokens(vault=office.open_vault(patience_seconds=0.2)).access_token()
    office.open_tokens().access_token()


def test_nobody_waits_for_ever_for_the_lock(office, monkeypatch):
    monkeypatch.setattr("xpmsync.xpm.tokens.LOCK_SECONDS", 0.1)
    tokens = office.connect()
    with hold(office.lock), pytest.raises(TransientError, match="Another xpmsync"):
        tokens.access_token()
