"""What was mistyped is answered with what was meant."""

import pytest

from xpmsync.cli import run


@pytest.fixture
def answer(tmp_path, monkeypatch, capsys):
    """What the last line of a refusal says."""
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path))

    def call(line):
        assert run(line.split()) == 2
        return capsys.readouterr().err.splitlines()[-1]

    return call


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("synk", "There is no command “synk”. Did you mean “sync”?"),
        ("Sync", "There is no command “Sync”. Did you mean “sync”?"),
        ("admin user deactivat", "There is no command “deactivat”. Did you mean “deactivate”?"),
        ("keyring set-up", "There is no command “set-up”. Did you mean “setup”?"),
        ("user list", "There is no command “user”. Did you mean “xpmsync admin user”?"),
        ("admin sync", "There is no command “sync”. Did you mean “xpmsync sync”?"),
        ("link", "“xpmsync admin user link” or “xpmsync admin client link”?"),
        ("admin office delete", "There is no command “delete”. There are: list, add, set."),
        ("sync --fulll", "Did you mean “--full”?"),
        ("errors --severity eror", "Did you mean “error”?"),
        ("admin client list --status Active", "Did you mean “active”?"),
        ("admin user set ann@example.com --role Ovner", "Did you mean “Owner”?"),
        ("errors --explain partner-mising", "Did you mean “partner-missing”?"),
        ("errors --code Partner-Missing", "Did you mean “partner-missing”?"),
        ("errors --code xero-refuse", "There is no problem with the code “xero-refuse”. Did you mean “xero-refused”?"),
        (
            "errors --explain nonsense",
            "xero-unreachable, connection-error, xero-refused, suspicious-change, database-trouble, another-run.",
        ),
        ("errors partner-missing", "To see the records that have it: xpmsync errors --code partner-missing"),
        ("errors Partner-Mising --all", "xpmsync errors --code partner-missing"),
        ("errors Smith's", "To look for a client or a staff member: xpmsync errors --search 'Smith'\"'\"'s'"),
        ("history minh kelly --json", "stands in quotation marks: xpmsync history 'minh kelly'"),
        ("admin client show Smith's Farm", "xpmsync admin client show 'Smith'\"'\"'s Farm'"),
        ("admin history erase minh van kelly --yes", "xpmsync admin history erase 'minh van kelly'"),
        ("errors --run 0", "must be a whole number from 1 to 1000000000."),
        ("report --days many", "must be a whole number from 1 to 90."),
    ],
)
def test_a_mistyped_word_is_answered_with_the_one_that_was_meant(answer, line, words):
    assert answer(line).endswith(words)


@pytest.mark.parametrize(
    "line",
    [
        "sync --ful",
        "errors --since",
        "errors --severity bad",
        "admin office add X",
        "backup /nowhere/xpmsync.db --mode x",
        "sandbox --switch gzip",
    ],
)
def test_every_refusal_has_our_quotation_marks(answer, line):
    words = answer(line)
    assert "“" in words
    assert not {"'", '"'} & set(words)


def test_what_is_typed_reaches_no_terminal_as_it_is(answer):
    assert "\x1b" not in answer("\x1b[31msync")
