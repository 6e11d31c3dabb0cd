import os
import re
import stat
import string
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpmsync.cli import run
from xpmsync.config import (
    SECTIONS,
    SETTINGS,
    Config,
    change_config,
    check_address,
    check_email,
    check_host,
    check_office_code,
    check_redirect_address,
    read_config,
    require,
)
from xpmsync.errors import ConfigurationError
from xpmsync.home import Home

PROJECT = Path(__file__).parent.parent
TENANT = "3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11"


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path, tmp_path)


def write(home, text):
    home.config_file.write_text(text, "utf-8")


def read_mistakes(home, text):
    write(home, text)
    with pytest.raises(ConfigurationError) as caught:
        read_config(home)
    return [line.strip() for line in caught.value.happened.splitlines()[1:]]


# Reading.


def test_a_missing_file_is_one_that_says_nothing(home):
    assert read_config(home) == Config()
    assert not home.config_file.exists()


READ = {
    'xero.client_id = "ABC"': "ABC",
    'xero.redirect_uri = "http://localhost:9000/back"': "http://localhost:9000/back",
    'xero.scopes = ["offline_access", "practicemanager"]': ("offline_access", "practicemanager"),
    'xero.login_url = "http://127.0.0.1:1/identity/"': "http://127.0.0.1:1/identity",
    'xero.identity_url = "http://[::1]:1"': "http://[::1]:1",
    'xero.api_url = "https://api.example.com"': "https://api.example.com",
    'sync.name = "Smith & Co"': "Smith & Co",
    f'sync.tenant_id = "{TENANT.upper()}"': TENANT,
    'sync.default_office_code = "SYD"': "SYD",
    "sync.full_every_hours = 12": 12,
    'notify.email = "ann@example.com"': "ann@example.com",
    'smtp.host = "mail.example.com"': "mail.example.com",
    "smtp.port = 2525": 2525,
    'smtp.security = "tls"': "tls",
    'smtp.username = "ann"': "ann",
    'smtp.from = "sync@example.com"': "sync@example.com",
    "guard.lost_clients_percent = 20": 20,
    'keyring.backend = "keyring.backends.SecretService.Keyring"': "keyring.backends.SecretService.Keyring",
}


def read_setting(config, name):
    setting = SETTINGS[name]
    return getattr(getattr(config, setting.section), setting.attribute)


def test_every_key_is_read(home):
    write(home, "\n".join(READ))
    config = read_config(home)
    assert [read_setting(config, line.partition(" ")[0]) for line in READ] == list(READ.values())


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_follows_from_the_security_where_it_is_not_given(home, security, port):
    write(home, f'[smtp]\nhost = "localhost"\nfrom = "a@b.example"\nsecurity = "{security}"\n')
    assert read_config(home).smtp.port == port


def test_an_empty_table_for_mail_means_no_mail(home):
    write(home, "[smtp]\n")
    assert read_config(home).smtp is None


def test_every_mistake_is_reported_at_once_each_with_its_key(home):
    mistakes = read_mistakes(
        home,
        """
        client_id = "ABC"
        notify = "ann@example.com"
        [xero]
        redirect_uri = "http://127.0.0.1:8742/callback"
        api_url = "http://api.example.com"
        scopes = ["practicemanager"]
        [sync]
        nmae = "x"
        tenant_id = "Smith"
        full_every_hours = true
        [smtp]
        port = 0
        security = "ssl"
        [smpt]
        host = "x"
        [zoo]
        """,
    )
    assert mistakes == [
        "line 2: client_id: there is no such key. Did you mean “xero.client_id”?",
        "line 3: notify: must be a table, [notify]",
        (
            "line 5: xero.redirect_uri: must be http://localhost:PORT/PATH, or start with https://, "
            "as it is registered with Xero"
        ),
        "line 6: xero.api_url: must be an address that starts with https:// (http:// for this machine alone)",
        'line 7: xero.scopes: must contain "offline_access": the sign-in would end within half an hour',
        "line 9: sync.nmae: there is no such key. Did you mean “sync.name”?",
        "line 10: sync.tenant_id: must be an id such as 3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11",
        "line 11: sync.full_every_hours: must be a whole number of hours from 1 to 168",
        "line 13: smtp.port: must be a whole number from 1 to 65535",
        "line 14: smtp.security: must be one of starttls, tls, none",
        "line 16: smpt.host: there is no such key. Did you mean “smtp.host”?",
        "line 17: zoo: there is no such key.",
        "smtp.host: is needed to send mail",
        "smtp.from: is needed to send mail",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('# guard.max = 1\n\n[ guard ] # that\n  "max"=1\n', "line 4: "),
        ("guard.max = 1\n", "line 1: "),
        ("[guard]\nlost_staff_percent = 5\n[sync]\nname = 'x'\n[xero]\nmax = 1\n[guard.max]\n", "line 7: "),
        ("guard = { lost_staff_percent = 5, max = 1 }\n", ""),
    ],
)
def test_the_line_of_a_mistake_is_told_where_it_is_written_in_the_usual_way(home, text, place):
    assert f"{place}guard.max: there is no such key." in read_mistakes(home, text)


def test_a_key_that_does_not_exist_stays_in_the_file_until_a_person_has_corrected_it(home):
    text = "[guard]\nmax_removals = 5  # mine\n"
    write(home, text)
    with pytest.raises(ConfigurationError):
        change_config(home, {"sync.name": "Smith"})
    assert home.config_file.read_text("utf-8") == text


@pytest.mark.parametrize(("table", "key"), [("smtp", "password"), ("xero", "client_secret")])
def test_a_secret_in_the_file_is_refused_and_never_repeated(home, table, key):
    (mistake, *_) = read_mistakes(home, f'[{table}]\n{key} = "hunter2"\n')
    assert mistake.startswith(f"line 2: {table}.{key}: ")
    assert "kept in the keyring" in mistake
    assert "hunter2" not in mistake


def test_a_password_that_could_be_read_on_the_way_is_refused(home):
    text = '[smtp]\nhost = "{}"\nfrom = "a@b.example"\nsecurity = "none"\nusername = "ann"\n'
    assert "could be read on the way" in read_mistakes(home, text.format("mail.example.com"))[0]
    write(home, text.format("127.0.0.1"))
    assert read_config(home).smtp.username == "ann"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('cc = "it@help.example"', "notify.cc: must be a list of up to 20 email addresses"),
        ('cc = ["it@help.example", "it"]', "notify.cc: must be an e-mail address, such as ann@example.com"),
        (f"cc = {[f'it{number}@help.example' for number in range(21)]}", "notify.cc: must be a list of up to 20"),
        ("cc = [1]", "notify.cc: must be an e-mail address"),
    ],
)
def test_the_cc_addresses_are_a_short_list_and_stand_beside_the_recipient(home, text, mistake):
    ours = 'cc = ["it@help.example", "IT@help.example", "māra@firm.example"]'
    write(home, f'[notify]\nemail = "ann@example.com"\n{ours}\n')
    assert read_config(home).notify.cc == ("IT@help.example", "māra@firm.example")
    assert f"line 3: {mistake}" in "\n".join(read_mistakes(home, f'[notify]\nemail = "ann@example.com"\n{text}\n'))
    assert "notify.email: is needed beside notify.cc" in read_mistakes(home, f"[notify]\n{ours}\n")[0]


QUOTES = "Correct the file: texts stand in quotation marks."
ONCE = "Correct the file: each section stands in it once, and so does each key"


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("[sync]\nname = Smith\n", "line 2, column 8", QUOTES),
        ('[sync]\nname = "Smith\n', "line 2", QUOTES),
        ("[sync]\n[xero]\n[sync]\n", "line 3", ONCE),
        ("[sync]\nname = 'a'\nname = 'b'\n", "line 3", ONCE),
        ("[sync\nname = 'a'\n", "line 1", "Correct the file. "),
    ],
)
def test_what_cannot_be_read_is_answered_with_where_and_what_is_usually_the_matter(home, text, place, hint):
    write(home, text)
    with pytest.raises(ConfigurationError, match="cannot be read as TOML") as caught:
        read_config(home)
    assert str(home.config_file) in caught.value.happened
    assert place in caught.value.happened
    assert caught.value.remedy.startswith(hint)


def test_a_text_that_is_empty_is_told_so(home):
    assert read_mistakes(home, '[xero]\nclient_id = ""\n') == ["line 2: xero.client_id: must not be empty"]


def test_a_file_that_is_no_text_is_a_mistake_of_the_configuration(home):
    home.config_file.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"config\.toml is not UTF-8 text \(byte 0\)"):
        read_config(home)


def link_to_nothing(file):
    file.symlink_to("nowhere.toml")
    return f"{file} is a link to nowhere.toml, which is not there."


def link_to_itself(file):
    file.symlink_to(file)
    return f"{file} cannot be read: Too many levels of symbolic links."


def link_to_a_device(file):
    file.symlink_to("/dev/zero")
    return f"{file} is no file."


def make_pipe(file):
    os.mkfifo(file)
    return f"{file} is no file."


def make_folder(file):
    file.mkdir()
    return f"{file} is no file."


COMMANDS = (
    *(
        "sync",
        "sync --dry-run",
        "status",
        "errors",
        "history",
        "report",
        "configure --later",
        "configure --crontab print",
    ),
    *("connect", "disconnect --yes", "notify", "notify --test", "doctor", "keyring", "backup {folder}/copy.db"),
    *("restore {folder}/copy.db", "admin user list", "admin office add AKL --name Auckland"),
)


@pytest.mark.parametrize(
    ("command", "make"),
    [
        *((command, link_to_nothing) for command in COMMANDS),
        *(("sync", make) for make in (link_to_itself, link_to_a_device, make_pipe, make_folder)),
    ],
)
def test_settings_that_are_no_file_end_every_command_in_the_same_way(make_firm, tmp_path, capfd, command, make):
    firm = make_firm()
    assert run(["backup", str(tmp_path / "copy.db")]) == 0
    file = firm.home.config_file
    file.unlink()
    expected = make(file)
    capfd.readouterr()
    assert run(command.format(folder=tmp_path).split()) == 5
    shown = "".join("".join(capfd.readouterr()).split())
    assert ("".join(expected.split()) in shown) == (command != "notify")  # it leaves it to the hourly run


def test_settings_that_may_not_be_read_end_a_command_in_the_same_way(make_firm, run_shut_out):
    firm = make_firm()
    firm.home.config_file.chmod(0)
    for command in (["sync"], ["errors"], ["configure", "--later"]):
        process = run_shut_out(*command)
        assert process.returncode == 5
        assert f"{firm.home.config_file} cannot be read: Permission denied." in process.stderr


def test_what_is_not_set_yet_names_the_command_that_sets_it():
    assert require("SYD", "sync.default_office_code") == "SYD"
    with pytest.raises(ConfigurationError) as caught:
        require(None, "sync.tenant_id")
    assert (caught.value.happened, caught.value.remedy) == (
        "The settings have no sync.tenant_id yet.",
        "Run: xpmsync connect",
    )


# The checks.


GOOD = {
    check_address: ["https://api.xero.com", "http://localhost:8000", "http://127.9.9.9"],
    check_redirect_address: ["http://localhost:8742/callback", "http://localhost", "https://firm.example/back"],
    check_email: ["ann@firm.example", "ann+xpm@mail.firm.example", "māra@tāmaki.example", "root@localhost"],
    check_office_code: ["SYD", "North.Shore-2"],
    check_host: ["mail.example.com", "::1"],
}
BAD = {
    check_address: [
        *(
            "http://localhost.example.com",
            "http://user@localhost",
            "https://api.xero.com?x=1",
            "https://api.xero.com#x",
        ),
        *("https://:443", "https://api.xero.com:99999", "https://a b", "ftp://localhost", "https://[x", 3),
    ],
    check_redirect_address: ["http://127.0.0.1:8742/callback", "http://firm.example/callback"],
    check_email: [
        *("ann", "ann@", "@firm.example", "ann@firm..example", "ann@firm.example, bob@firm.example"),
        *("Ann <ann@firm.example>", "ann@firm.example\nBcc: bob@firm.example", "a\u200bnn@firm.example"),
        *(f"{'a' * 250}@b.example", None),
    ],
    check_office_code: ["", "two words", "-x", "x" * 21],
    check_host: ["https://mail.example.com", "mail.example.com:25", ""],
}


def list_cases(table):
    return [(check, value) for check, values in table.items() for value in values]


@pytest.mark.parametrize(("check", "good"), list_cases(GOOD))
def test_a_good_value_is_kept_as_it_is(check, good):
    assert check(good) == good
    assert check(f" {good} ") == good


@pytest.mark.parametrize(("check", "bad"), list_cases(BAD))
def test_a_bad_value_is_refused_with_what_it_must_be(check, bad):
    with pytest.raises(ValueError, match="must be"):
        check(bad)


# Changing.


def test_a_change_keeps_the_persons_comments_and_order(home):
    write(
        home,
        """\
# ours
[notify] # who
email = "ann@example.com"  # Ann

[sync]
# The name
name = "Smith"
# The practice; an example:
#tenant_id = "x"
# The rest
full_every_hours = 12

# Mail goes out
# by the relay
[smtp]
host = "localhost"
from = "a@b.example"
""",
    )
    change_config(
        home,
        {
            "sync.tenant_id": TENANT,
            "sync.default_office_code": "SYD",
            "notify.email": "bob@example.com",
            "smtp.port": 2525,
            "xero.client_id": "ABC",
        },
    )
    assert home.config_file.read_text("utf-8") == (
        f"""\
# ours
[notify] # who
email = "bob@example.com"  # Ann

[sync]
# The name
name = "Smith"
# The practice; an example:
#tenant_id = "x"
tenant_id = "{TENANT}"
# The rest
full_every_hours = 12
default_office_code = "SYD"

# Mail goes out
# by the relay
[smtp]
host = "localhost"
from = "a@b.example"
port = 2525

[xero]
client_id = "ABC"
"""
    )


@pytest.mark.parametrize("text", ['sync.name = "a"\n[smtp]\n', 'sync = {name = "a"}\r\n', '[sync]\nname = "a"', ""])
def test_a_change_fits_however_the_file_is_written(home, text):
    write(home, text)
    change_config(home, {"sync.default_office_code": "SYD"})
    assert read_config(home).sync.default_office_code == "SYD"
    assert read_config(home).sync.name == ("a" if text else Config().sync.name)


def test_a_byte_order_mark_is_skipped_and_goes_with_the_next_change(home):
    home.config_file.write_text('# ours\n[sync]\nname = "Smith"\n', "utf-8-sig")
    assert read_config(home).sync.name == "Smith"
    change_config(home, {"sync.default_office_code": "SYD"})
    assert home.config_file.read_bytes() == b'# ours\n[sync]\nname = "Smith"\ndefault_office_code = "SYD"\n'


def test_none_removes_a_key(home):
    write(home, '[sync]\nname = "Smith"\ntenant_id = "x"\n'.replace('"x"', f'"{TENANT}"'))
    change_config(home, {"sync.tenant_id": None, "xero.client_id": None})
    assert home.config_file.read_text("utf-8") == '[sync]\nname = "Smith"\n'


def test_a_change_that_could_not_be_read_again_is_not_written(home):
    write(home, '[sync]\nname = "Smith"\n')
    with pytest.raises(ConfigurationError, match="full_every_hours"):
        change_config(home, {"sync.full_every_hours": 0})
    with pytest.raises(ConfigurationError, match=r"smtp\.from: is needed"):
        change_config(home, {"smtp.host": "localhost"})
    assert home.config_file.read_text("utf-8") == '[sync]\nname = "Smith"\n'


def test_the_file_is_private_whatever_it_was_and_nothing_is_left_beside_it(home):
    write(home, "")
    home.config_file.chmod(0o644)
    change_config(home, {"sync.name": "Smith"})
    assert stat.S_IMODE(home.config_file.stat().st_mode) == 0o600
    assert {file.name for file in home.config_folder.iterdir()} == {"config.toml", "settings.lock"}


def test_two_that_change_the_settings_at_once_lose_nothing(home):
    changes = [{"sync.name": "Smith"}, {"xero.client_id": "ABC"}, {"sync.default_office_code": "SYD"}]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda change: change_config(home, change), changes))
    config = read_config(home)
    assert (config.sync.name, config.xero.client_id, config.sync.default_office_code) == ("Smith", "ABC", "SYD")


def test_a_link_to_the_file_stays_a_link(home, tmp_path):
    elsewhere = tmp_path / "dotfiles.toml"
    elsewhere.write_text("# mine\n")
    home.config_file.symlink_to(elsewhere)
    change_config(home, {"sync.name": "Smith"})
    assert home.config_file.is_symlink()
    assert elsewhere.read_text() == '# mine\n\n[sync]\nname = "Smith"\n'


def test_a_file_that_cannot_be_written_stays_as_it_was(home, monkeypatch):
    write(home, '[sync]\nname = "Smith"\n')

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(ConfigurationError, match="No space left"):
        change_config(home, {"sync.name": "Jones"})
    assert {file.name for file in home.config_folder.iterdir()} == {"config.toml", "settings.lock"}
    assert read_config(home).sync.name == "Smith"


VALUES = {
    "sync.name": st.text("aé\u4e2d🧾\"'\\#=[]{}.", min_size=1),
    "sync.full_every_hours": st.integers(1, 168),
    "sync.default_office_code": st.text(string.ascii_letters + string.digits, min_size=1, max_size=20),
    "notify.email": st.from_regex(r"\A[a-z.+]{1,20}@[a-z]{1,10}\.[a-z]{2,5}\Z"),
    "guard.lost_staff_at_least": st.integers(1, 1_000_000),
    "xero.client_id": st.from_regex(r"\A[0-9A-F]{32}\Z"),
}
EXAMPLE = (PROJECT / "config.example.toml").read_text("utf-8")


@settings(max_examples=40, deadline=None)  # each writes and syncs files
@given(
    st.lists(st.fixed_dictionaries({}, optional=VALUES), max_size=3),
    st.sampled_from(["", EXAMPLE, '# a\n[sync] # b\n#name = ""\n\n# c\n[notify]\n']),
)
def test_what_is_written_is_what_is_read_and_no_comment_is_lost(tmp_path_factory, changes, text):
    folder = tmp_path_factory.mktemp("home")
    home = Home(folder, folder)
    write(home, text)
    for change in changes:
        change_config(home, change)
    config = read_config(home)
    for name, value in {name: value for change in changes for name, value in change.items()}.items():
        assert read_setting(config, name) == value
    comments = [line for line in home.config_file.read_text("utf-8").splitlines() if line.startswith("#")]
    assert comments == [line for line in text.splitlines() if line.startswith("#")]


# The examples.


def test_the_example_sets_nothing_and_shows_every_key_with_its_default(home):
    assert all(table == {} for table in tomllib.loads(EXAMPLE).values())
    shown = tomllib.loads(re.sub(r"(?m)^#(?=\w+ = )", "", EXAMPLE))
    write(home, re.sub(r"(?m)^#(?=\w+ = )", "", EXAMPLE))
    read_config(home)
    assert {f"{section}.{key}" for section, table in shown.items() for key in table} == set(SETTINGS)
    for setting in SETTINGS.values():
        if setting.default not in (None, ()):
            assert setting.check(shown[setting.section][setting.key]) == setting.default, setting.name


def test_every_setting_has_a_default_so_that_a_home_can_begin_empty():
    assert all(item.default is not MISSING for section in SECTIONS.values() for item in fields(section))
