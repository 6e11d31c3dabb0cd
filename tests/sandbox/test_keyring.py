import subprocess
import sys
import threading

import keyring
import keyring.core
import pytest
from keyring.errors import InitError, KeyringLocked, NoKeyringError, PasswordDeleteError, PasswordSetError

from xpmsync.sandbox.keyring import ADDRESS_VARIABLE, SandboxKeyring


@pytest.fixture
def ring(sandbox, monkeypatch) -> SandboxKeyring:
    monkeypatch.setenv(ADDRESS_VARIABLE, sandbox.url)
    return SandboxKeyring()


def test_a_password_is_kept_replaced_and_forgotten(ring):
    assert ring.get_password("service", "user") is None
    ring.set_password("service", "user", "pāss word\n")
    assert ring.get_password("service", "user") == "pāss word\n"
    ring.set_password("service", "user", "other")
    assert ring.get_password("service", "user") == "other"
    ring.delete_password("service", "user")
    assert ring.get_password("service", "user") is None
    with pytest.raises(PasswordDeleteError):
        ring.delete_password("service", "user")


def test_another_process_sees_the_same_keyring(ring, sandbox):
    ring.set_password("service", "user", "shared")
    program = "import keyring; print(keyring.get_password('service', 'user'))"
    environment = {
        "PYTHON_KEYRING_BACKEND": "xpmsync.sandbox.keyring.SandboxKeyring",
        ADDRESS_VARIABLE: sandbox.url,
        "PYTHONPATH": ":".join(sys.path),
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "shared\n"


@pytest.mark.slow
def test_it_is_never_chosen_by_itself(monkeypatch):
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
    assert not isinstance(keyring.core._detect_backend(), SandboxKeyring)  # noqa: SLF001 - keyring's own choice
    keyring.core.load_keyring("xpmsync.sandbox.keyring.SandboxKeyring")


def test_without_an_address_or_a_sandbox_there_is_no_keyring(ring, sandbox, monkeypatch):
    sandbox.stop()
    with pytest.raises(InitError):
        ring.get_password("service", "user")
    monkeypatch.delenv(ADDRESS_VARIABLE)
    with pytest.raises(NoKeyringError):
        ring.get_password("service", "user")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("keyring-locked", KeyringLocked),
        ("keyring-missing", NoKeyringError),
        ("keyring-init-error", InitError),
        ("keyring-runtime-error", RuntimeError),
    ],
)
def test_a_keyring_in_trouble_raises_what_real_ones_raise(ring, sandbox, fault, error):
    with sandbox.faults.active(fault):
        for act in (lambda: ring.get_password("s", "u"), lambda: ring.set_password("s", "u", "p")):
            with pytest.raises(error) as caught:
                act()
            assert type(caught.value) is error
    assert ring.get_password("s", "u") is None


def test_a_full_keyring_is_read_but_not_written(ring, sandbox):
    ring.set_password("s", "u", "old")
    with sandbox.faults.active("keyring-full"):
        assert ring.get_password("s", "u") == "old"
        with pytest.raises(PasswordSetError):
            ring.set_password("s", "u", "new")


def test_a_keyring_can_forget_a_write(ring, sandbox):
    ring.set_password("s", "u", "old")
    with sandbox.faults.active("keyring-forgets"):
        ring.set_password("s", "u", "new")
    assert ring.get_password("s", "u") == "old"


def test_a_keyring_can_hang_until_the_fault_ends(ring, sandbox):
    found: list[str | None] = []
    with sandbox.faults.active("keyring-hangs", times=1):
        hanging = threading.Thread(target=lambda: found.append(ring.get_password("s", "u")))
        hanging.start()
        hanging.join(0.2)
        assert hanging.is_alive()
    hanging.join(5)
    assert found == [None]


def test_keyring_faults_end_after_a_number_of_calls(ring, sandbox):
    sandbox.faults.start("keyring-locked", times=1)
    with pytest.raises(KeyringLocked):
        ring.get_password("s", "u")
    assert ring.get_password("s", "u") is None
