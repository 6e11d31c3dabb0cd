import sys
import time
import types

import keyring.backend
import keyring.errors
import pytest
from keyring.backends import fail, null
from keyring.backends.chainer import ChainerBackend

from xpmsync.config import KeyringSettings
from xpmsync.credentials.store import find_remedy, open_vault
from xpmsync.errors import KeyringError

BUS = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}


def make_backend(name, **methods):
    """A backend of keyring's own kind, kept in memory; `name` is where its class says that it lives."""
    passwords = {}
    usual = {
        "priority": 1,
        "passwords": passwords,
        "get_password": lambda _, service, user: passwords.get((service, user)),
        "set_password": lambda _, service, user, value: passwords.__setitem__((service, user), value),
        "delete_password": lambda _, service, user: passwords.pop((service, user)),
    }
    module, _, kind = name.rpartition(".")
    return type(kind, (keyring.backend.KeyringBackend,), {"__module__": module, **usual, **methods})


@pytest.fixture
def install(monkeypatch):
    """Make a backend importable under its name."""

    def install(name, **methods):
        backend = make_backend(name, **methods)
        module = types.ModuleType(backend.__module__)
        setattr(module, backend.__name__, backend)
        parts = backend.__module__.split(".")
        for depth in range(1, len(parts)):
            package = ".".join(parts[:depth])
            if package not in sys.modules:
                monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        monkeypatch.setitem(sys.modules, backend.__module__, module)
        return backend

    return install


def offer(monkeypatch, *backends):
    """Let keyring find these backends on the machine, as a chain."""
    monkeypatch.setattr(keyring.backend, "get_all_keyring", lambda: [backend() for backend in backends])
    monkeypatch.setattr(keyring.core, "_keyring_backend", ChainerBackend())


def open_recorded(name, **options):
    return open_vault("a-home", KeyringSettings(backend=name), environment=options.pop("environment", {}), **options)


def test_secrets_are_kept_under_the_homes_own_names(install):
    backend = install("good.Keyring")
    vault = open_recorded("good.Keyring")
    assert vault.read("sign-in") is None
    vault.write("sign-in", "one")
    vault.write("sign-in", "two")
    vault.write("smtp-password", "three")
    assert backend.passwords == {
        ("xpmsync", "a-home/sign-in"): "two",
        ("xpmsync", "a-home/smtp-password"): "three",
    }
    assert vault.read("sign-in") == "two"
    vault.forget("sign-in")
    vault.forget("sign-in")
    assert vault.read("sign-in") is None
    assert (vault.backend_name, vault.description) == ("good.Keyring", "good.Keyring")


def test_two_that_prove_the_same_keyring_at_once_do_not_disturb_each_other(install, tmp_path):
    nested = []

    def set_password(backend, service, user, value):
        backend.passwords[service, user] = value
        if not nested:
            nested.append(user)
            open_recorded("somewhere.Ring").prove(tmp_path)

    backend = install("somewhere.Ring", set_password=set_password)
    open_recorded("somewhere.Ring").prove(tmp_path)
    assert nested
    assert backend.passwords == {}
    assert list(tmp_path.iterdir()) == []


def test_the_mac_keeps_a_spare_copy_for_a_crash_between_removing_and_adding(install):
    backend = install("keyring.backends.macOS.Keyring")
    vault = open_recorded("keyring.backends.macOS.Keyring")
    vault.write("sign-in", "one")

    def crash(_, service, user, value):
        if user == "a-home/sign-in":
            del backend.passwords[service, user]
            raise keyring.errors.PasswordSetError
        backend.passwords[service, user] = value

    backend.set_password = crash
    with pytest.raises(KeyringError):
        vault.write("sign-in", "two")
    assert vault.read("sign-in") == "two"
    vault.forget("sign-in")
    assert backend.passwords == {}
    assert vault.description == "the macOS Keychain"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (keyring.errors.KeyringLocked("Failed to unlock the collection!"), "is locked"),
        (keyring.errors.NoKeyringError("No recommended backend was available."), "no keyring"),
        (keyring.errors.InitError("Failed to create the collection"), "no keyring"),
        (keyring.errors.PasswordSetError("Can't store password on keychain"), "did not take"),
        (RuntimeError("no session bus"), "does not work"),
        (OSError("broken pipe"), "does not work"),
        (AttributeError("module 'secretstorage' has no attribute"), "does not work"),
    ],
)
def test_every_failure_says_what_happened_and_what_to_do(install, error, words):
    def fail_(*_):
        raise error

    install("bad.Keyring", get_password=fail_, set_password=fail_, delete_password=fail_)
    vault = open_recorded("bad.Keyring", environment={"DISPLAY": ":0"})
    for attempt in (
        lambda: vault.read("sign-in"),
        lambda: vault.write("sign-in", "x"),
        lambda: vault.forget("sign-in"),
    ):
        with pytest.raises(KeyringError, match=words) as caught:
            attempt()
        assert "Unlock the keyring" in caught.value.remedy
        assert type(error).__name__ in caught.value.details


def test_a_keyring_that_hangs_is_given_up(install):
    install("slow.Keyring", get_password=lambda *_: time.sleep(5))
    vault = open_recorded("slow.Keyring", patience_seconds=0.1)
    started = time.monotonic()
    with pytest.raises(KeyringError, match="not answered"):
        vault.read("sign-in")
    assert time.monotonic() - started < 1


def test_a_keyring_that_hangs_while_it_is_looked_for_is_given_up(install):
    install("slow.Keyring", __init__=lambda _: time.sleep(5))
    with pytest.raises(KeyringError, match="not answered"):
        open_recorded("slow.Keyring", patience_seconds=0.1)


def test_a_backend_that_repeats_the_secret_is_not_repeated(install):
    def shout(_, _service, _user, value):
        raise keyring.errors.PasswordSetError(f"cannot store {value!r}")

    install("loud.Keyring", set_password=shout)
    with pytest.raises(KeyringError) as caught:
        open_recorded("loud.Keyring").write("sign-in", "s3cret")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "s3cret" not in f"{caught.value}{caught.value.remedy}{caught.value.details}"


@pytest.mark.parametrize("name", ["gone.Keyring", "os.Keyring", "keyring.backends.Windows.WinVaultKeyring"])
def test_a_recorded_keyring_that_is_not_here_is_trouble(name):
    with pytest.raises(KeyringError):
        open_recorded(name)


@pytest.mark.parametrize(
    "name",
    [
        "keyrings.alt.file.PlaintextKeyring",
        "keyrings.alt.file.EncryptedKeyring",
        "keyrings.alt.Gnome.Keyring",
        "somewhere.PlaintextKeyring",
    ],
)
def test_a_keyring_that_keeps_secrets_in_the_clear_is_refused_unless_a_person_names_it(install, name):
    install(name)
    with pytest.raises(KeyringError, match="does not keep secrets safe") as caught:
        open_recorded(name)
    assert "PYTHON_KEYRING_BACKEND" in caught.value.remedy
    assert open_recorded(name, environment={"PYTHON_KEYRING_BACKEND": name}).backend_name == name


@pytest.mark.parametrize("name", ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring"])
def test_a_keyring_that_keeps_nothing_is_refused(name):
    with pytest.raises(KeyringError):
        open_recorded(name)


def test_a_subclass_of_a_refused_keyring_is_refused(install):
    install("cloaked.Keyring")
    sys.modules["cloaked"].Keyring = type("Keyring", (null.Keyring,), {"__module__": "cloaked", "priority": 9})
    with pytest.raises(KeyringError):
        open_recorded("cloaked.Keyring")


def test_of_a_chain_the_best_safe_member_is_used_and_named(monkeypatch):
    plain = make_backend("keyrings.alt.file.PlaintextKeyring", priority=0.5)
    good = make_backend("keyring.backends.SecretService.Keyring", priority=5)
    offer(monkeypatch, plain, good, fail.Keyring)
    vault = open_recorded(None)
    assert vault.backend_name == "keyring.backends.SecretService.Keyring"
    assert vault.description == "the desktop's keyring (Secret Service)"
    vault.write("sign-in", "x")
    assert plain.passwords == {}


def test_a_chain_of_unsafe_members_alone_is_refused(monkeypatch):
    members = [make_backend(f"keyrings.alt.{name}.Keyring", priority=0.5) for name in ("file", "pyfs")]
    offer(monkeypatch, *members, fail.Keyring)
    with pytest.raises(KeyringError, match=r"keyrings\.alt\.file\.Keyring or keyrings\.alt\.pyfs\.Keyring"):
        open_recorded(None)


def test_a_machine_without_any_keyring_says_so(monkeypatch):
    monkeypatch.setattr(keyring.core, "_keyring_backend", fail.Keyring())
    with pytest.raises(KeyringError, match="no keyring that xpmsync can reach"):
        open_recorded(None)


def test_the_remedy_fits_the_machine():
    user_id = 4_000_000_000  # nobody's
    assert "Mac" in find_remedy({}, platform="darwin")
    assert "Passwords and Keys" in find_remedy({"WAYLAND_DISPLAY": "wayland-0"} | BUS, platform="linux")
    assert "Log in to the desktop" in find_remedy(BUS, platform="linux")
    assert "one of its own" in find_remedy({}, platform="linux", user_id=user_id)


@pytest.mark.parametrize(
    ("programs", "advice"),
    [
        ("", ": install dbus and gnome-keyring and util-linux and dash, then run: xpmsync keyring setup"),
        ("sh setpriv", ": install dbus and gnome-keyring, then run: xpmsync keyring setup"),
        ("sh setpriv dbus-daemon", ": install gnome-keyring, then run: xpmsync keyring setup"),
        ("sh setpriv dbus-daemon gnome-keyring-daemon", "one of its own: xpmsync keyring setup"),
    ],
)
def test_only_what_is_not_installed_is_said_to_be_missing(tmp_path, monkeypatch, programs, advice):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in programs.split():
        (tmp_path / name).touch(mode=0o755)
    assert find_remedy({}, platform="linux", user_id=4_000_000_000).endswith(advice)
