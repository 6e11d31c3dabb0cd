"""The settings: what ``config.toml`` may say, read whole, checked, and changed without losing a person's comments.

Every key stands once, in the dataclasses below, with its check, its meaning and its default; reading, ``xpmsync
configure``, ``config.example.toml`` and the guide for operators all go by them. Does nothing with a setting, and holds
no secret: passwords and tokens live in the keyring.
"""

import ipaddress
import re
import shlex
import stat
import tomllib
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

from xpmsync.errors import ConfigurationError
from xpmsync.home import Home, connect_command, prepare_home
from xpmsync.system.atomic import find_draft, replaced
from xpmsync.system.lock import hold
from xpmsync.system.private_files import check_link
from xpmsync.text import fold, suggest

Security = Literal["starttls", "tls", "none"]

USUAL_PORTS: Final[Mapping[Security, int]] = {"starttls": 587, "tls": 465, "none": 25}
SECURITIES: Final = tuple(USUAL_PORTS)
SCOPES: Final = ("offline_access", "practicemanager.staff.read", "practicemanager.client.read")

SET_BY_CONNECT: Final = ("xero.client_id", "sync.tenant_id")
SECRETS: Final = {
    "smtp.password": "passwords are kept in the keyring; remove this line and run: xpmsync configure",
    "xero.client_secret": "the client secret is kept in the keyring; remove this line and run: xpmsync connect",
}
NEW_FILE: Final = """\
# The settings of xpmsync. Every key is explained by: xpmsync configure --explain
# "xpmsync configure" changes values here and keeps your comments.
"""

LOCK_SECONDS: Final = 10.0
MOST_EMAILS: Final = 20
"""An email to each takes two minutes where the mail server is slow."""

HOST_NAME: Final = r"[^\W_]([\w-]*[^\W_])?(\.[^\W_]([\w-]*[^\W_])?)*"

Value = TypeVar("Value")


# Checks: each takes what was typed or read, gives back the value to keep, or raises ValueError("must ...").


def check_text(value: object) -> str:
    """One line of text that is not empty."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError("must not be empty")
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError("must be one line of text")
    return value.strip()


def check_email(value: object) -> str:
    """An e-mail address; names in any script, since XPM and mail servers take them."""
    text = value.strip() if isinstance(value, str) else ""
    if not re.fullmatch(rf'(?=.{{3,254}}$)[^\s@<>()\[\],;:\\"]+@{HOST_NAME}', text):
        raise ValueError("must be an e-mail address, such as ann@example.com")
    if not text.isprintable():
        raise ValueError("must be an e-mail address without invisible characters")
    return text


def check_emails(value: object) -> tuple[str, ...]:
    """Some email addresses; what is there twice is taken once."""
    if not isinstance(value, (list, tuple)) or len(value) > MOST_EMAILS:
        raise ValueError(f"must be a list of up to {MOST_EMAILS} email addresses")
    return tuple({fold(email): email for email in map(check_email, value)}.values())


def check_office_code(value: object) -> str:
    """A code that stays readable wherever it is typed."""
    text = value.strip() if isinstance(value, str) else ""
    if not re.fullmatch(r"[^\W_][\w.-]{0,19}", text):
        raise ValueError("must be up to 20 letters, digits, dots, dashes or underscores, such as SYD")
    return text


def check_uuid(value: object) -> str:
    """A UUID, in lower case."""
    try:
        return str(uuid.UUID(value if isinstance(value, str) else ""))
    except ValueError:
        raise ValueError("must be an id such as 3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11") from None


def check_address(value: object) -> str:
    """The address of a server: https, or plain http where nothing leaves this machine."""
    parts = _split_address(value)
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))):
        raise ValueError("must be an address that starts with https:// (http:// for this machine alone)")
    return parts.geturl().rstrip("/")


def check_redirect_address(value: object) -> str:
    """The address Xero sends the browser back to: as Xero accepts them."""
    parts = _split_address(value)
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "localhost")):
        raise ValueError("must be http://localhost:PORT/PATH, or start with https://, as it is registered with Xero")
    return parts.geturl()


def check_host(value: object) -> str:
    """The name or number of a machine."""
    text = value.strip() if isinstance(value, str) else ""
    if not re.fullmatch(rf"(?=.{{1,253}}$)({HOST_NAME}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)", text):
        raise ValueError("must be the name of a server, such as mail.example.com")
    return text


def check_port(value: object) -> int:
    """A TCP port."""
    return _check_number(value, 1, 65535, "whole number")


def check_security(value: object) -> Security:
    """How the line to the mail server is protected."""
    for security in SECURITIES:
        if value == security:
            return security
    raise ValueError(f"must be one of {', '.join(SECURITIES)}")


def check_scopes(value: object) -> tuple[str, ...]:
    """What Xero is asked for; without `offline_access` the sign-in would end within half an hour."""
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(scope, str) and re.fullmatch(r"[a-z0-9._]+", scope) for scope in value
    ):
        raise ValueError("must be a list of Xero's scopes")
    if "offline_access" not in value:
        raise ValueError('must contain "offline_access": the sign-in would end within half an hour')
    return tuple(value)


def check_hours(value: object) -> int:
    """A number of hours, up to a week."""
    return _check_number(value, 1, 168, "whole number of hours")


def check_percent(value: object) -> int:
    """A share of the whole."""
    return _check_number(value, 1, 100, "whole percentage")


def check_count(value: object) -> int:
    """A number of records."""
    return _check_number(value, 1, 1_000_000, "whole number of records")


def check_backend(value: object) -> str:
    """The name of a keyring backend's class."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", value):
        raise ValueError("must be the name of a keyring backend, such as keyring.backends.SecretService.Keyring")
    return value


def check_file(value: object) -> str:
    """The full path of a file: cron's commands start in another folder than a person's."""
    if not isinstance(value, str) or not value.startswith("/") or not value.isprintable():
        raise ValueError("must be the full path of a file, which begins with /")
    return value


def check_page(value: object) -> str:
    """The full path of a web page; its ending keeps a slip from replacing a file of another kind."""
    if not isinstance(value, str) or not value.lower().endswith(".html"):
        raise ValueError("must be the full path of a page that ends in .html")
    return check_file(value)


def check_flag(value: object) -> bool:
    """Yes or no."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - as every check
    return value


def is_loopback(host: str) -> bool:
    """Whether nothing that is sent to `host` leaves this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split_address(value: object) -> SplitResult | None:
    """The parts of an address that has a host, and nothing that hides where it leads."""
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value.strip()):
        return None
    try:
        parts = urlsplit(value.strip())
        plain = bool(parts.hostname) and parts.port != 0 and not (parts.query or parts.fragment or "@" in parts.netloc)
    except ValueError:
        return None
    return parts if plain else None


def _check_number(value: object, least: int, most: int, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"must be a {what} from {least} to {most}")
    return value


# The settings themselves. `None` stands for what has not been set yet.


def _setting(
    check: Callable[[object], object],
    meaning: str,
    default: object = None,
    *,
    example: object = None,
    key: str | None = None,
) -> Any:
    """A dataclass field that knows its check and its meaning; its key, too, where that is no name in Python."""
    return field(default=default, metadata={"check": check, "meaning": meaning, "example": example, "key": key})


@dataclass(frozen=True)
class XeroSettings:
    """How Xero is reached."""

    client_id: str | None = _setting(
        check_text,
        "The client id of your app, from https://developer.xero.com/app/manage. “xpmsync connect” asks for it.",
        example="0A1B2C3D4E5F60718293A4B5C6D7E8F9",
    )
    redirect_uri: str = _setting(
        check_redirect_address,
        "Where the browser comes back to after the sign-in, exactly as it is registered with the app.",
        "http://localhost:8742/callback",
    )
    scopes: tuple[str, ...] = _setting(
        check_scopes,
        "What Xero is asked for. “offline_access” lets the sync go on after you have closed the browser.",
        SCOPES,
    )
    login_url: str = _setting(
        check_address,
        "Xero's page for the sign-in. Change this address and the next two only to try xpmsync with its sandbox; plain "
        "http works on this machine alone.",
        "https://login.xero.com/identity",
    )
    identity_url: str = _setting(check_address, "Xero's server that renews the sign-in.", "https://identity.xero.com")
    api_url: str = _setting(
        check_address, "Xero's server that has the connections and the Practice Manager API.", "https://api.xero.com"
    )


@dataclass(frozen=True)
class SyncSettings:
    """Which practice is synced, and into which office its clients arrive."""

    name: str = _setting(
        check_text, "What you call this sync: it stands in the subject of e-mails.", "Xero Practice Manager"
    )
    tenant_id: str | None = _setting(
        check_uuid,
        "Which practice is synced; “xpmsync connect” fills it in.",
        example="3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11",
    )
    default_office_code: str | None = _setting(
        check_office_code, "The office of Active that new clients are given.", example="SYD"
    )
    full_every_hours: int = _setting(check_hours, "How often everything is fetched instead of what has changed.", 24)


@dataclass(frozen=True)
class NotifySettings:
    """Who gets an email when the sync fails."""

    email: str | None = _setting(
        check_email,
        "The alert recipient: the email address of an active user, who gets an email when the sync fails, at most one "
        "in 24 hours. If the user's address changes in XPM, the emails follow; this key can stay as it is. Another "
        "address here chooses another user, as “xpmsync configure” does.",
        example="ann@example.com",
    )
    cc: tuple[str, ...] = _setting(
        check_emails,
        "Other addresses, such as that of your IT support, which get an email of their own, each at most one in 24 "
        "hours. They need not be users. The alert recipient is needed all the same.",
        (),
        example=("help@it.example",),
    )


@dataclass(frozen=True)
class SmtpSettings:
    """The mail server.

    Without these keys no e-mail is sent; cron can still mail what xpmsync prints, to the
    address that MAILTO names in the crontab.
    """

    host: str = _setting(check_host, "The name of the mail server.", example="mail.example.com")
    security: Literal["starttls", "tls", "none"] = _setting(
        check_security,
        "How the line to it is protected: “starttls” (usually port 587), “tls” (port 465), or “none” for a mail server "
        "on this machine (port 25).",
        "starttls",
    )
    port: int = _setting(
        check_port, "Its port, where it is not the usual one for its security.", USUAL_PORTS["starttls"]
    )
    username: str | None = _setting(
        check_text,
        "Only where the server asks for it; “xpmsync configure” asks for the password and keeps it in the keyring.",
        example="sync@example.com",
    )
    sender: str = _setting(check_email, "The sender of the e-mails.", example="sync@example.com", key="from")


@dataclass(frozen=True)
class GuardSettings:
    """Safety limits: a larger change stops the sync until someone has checked it. To accept: xpmsync sync --accept N"""

    lost_clients_percent: int = _setting(
        check_percent,
        "A sync stops when more than this share of the clients is archived or deleted at once, a full sync also when as"
        " many are missing.",
        10,
    )
    lost_clients_at_least: int = _setting(
        check_count, "The fewest clients that stop a sync; if all are missing, it always stops.", 10
    )
    lost_staff_percent: int = _setting(
        check_percent, "A sync stops when more than this share of the staff is missing at once.", 10
    )
    lost_staff_at_least: int = _setting(
        check_count, "The fewest staff that stop a sync; if all are missing, it always stops.", 3
    )
    emptied_field_percent: int = _setting(
        check_percent,
        "A sync stops when a field is suddenly empty on more than this share of the clients, in XPM or in Active.",
        10,
    )
    emptied_field_at_least: int = _setting(
        check_count, "The fewest clients with an emptied field that stop a sync.", 10
    )
    full_again_after_hours: int = _setting(
        check_hours,
        "How long to wait until everything is fetched again after a full sync that was stopped, or that failed.",
        6,
    )


@dataclass(frozen=True)
class KeyringSettings:
    """Which keyring is used, by every command."""

    backend: str | None = _setting(
        check_backend,
        "Which keyring “xpmsync connect” used; it fills this in.",
        example="keyring.backends.SecretService.Keyring",
    )
    key_file: str | None = _setting(
        check_file,
        "On a server without a desktop: the file with the key of a keyring of xpmsync's own, kept in this home and "
        "used instead of any other. “xpmsync keyring setup” makes both and fills this in.",
        example="/etc/xpmsync/keyring.key",
    )


@dataclass(frozen=True)
class ReportSettings:
    """The page about the sync."""

    file: str | None = _setting(
        check_page,
        "Where it is written after every run: the full path (no “~”) of a file that ends in .html. It is made for its "
        "owner alone; open it to others once (chmod), and it stays so.",
        example="/srv/share/xpmsync.html",
    )
    names: bool = _setting(
        check_flag, "Whether it may name the clients and the staff that have an open problem.", False
    )


@dataclass(frozen=True)
class Config:
    """Everything that ``config.toml`` says."""

    xero: XeroSettings = field(default_factory=XeroSettings)
    sync: SyncSettings = field(default_factory=SyncSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    smtp: SmtpSettings | None = None
    guard: GuardSettings = field(default_factory=GuardSettings)
    keyring: KeyringSettings = field(default_factory=KeyringSettings)
    report: ReportSettings = field(default_factory=ReportSettings)


SECTIONS: Final[Mapping[str, type[Any]]] = {
    "xero": XeroSettings,
    "sync": SyncSettings,
    "notify": NotifySettings,
    "smtp": SmtpSettings,
    "guard": GuardSettings,
    "keyring": KeyringSettings,
    "report": ReportSettings,
}


@dataclass(frozen=True)
class Setting:
    """One key of ``config.toml``."""

    section: str
    key: str
    attribute: str
    check: Callable[[object], Any]
    meaning: str
    default: object
    example: object
    """What it may look like, where nothing holds without it."""

    @property
    def name(self) -> str:
        """The dotted key, such as ``sync.name``."""
        return f"{self.section}.{self.key}"


SETTINGS: Final[Mapping[str, Setting]] = {
    setting.name: setting
    for section, settings in SECTIONS.items()
    for item in fields(settings)
    for setting in [
        Setting(
            section,
            item.metadata["key"] or item.name,
            item.name,
            item.metadata["check"],
            item.metadata["meaning"],
            item.default,
            item.metadata["example"],
        )
    ]
}
"""Every key there is, by its dotted name."""


def check_setting(name: str, value: object) -> Any:
    """`value` as the key `name` keeps it; raises ValueError("must ...") where it cannot be one."""
    return SETTINGS[name].check(value)


def require(value: Value | None, name: str) -> Value:
    """`value`, or a ConfigurationError that says how the key `name` is set."""
    if value is None:
        command = connect_command() if name in SET_BY_CONNECT else "xpmsync configure"
        raise ConfigurationError(f"The settings have no {name} yet.", f"Run: {command}")
    return value


def read_config(home: Home) -> Config:
    """The settings of `home`; a missing file is one that says nothing.

    Raises ConfigurationError that lists every mistake, each with its key.
    """
    return _read_text(home, _load_text(home) or "")


def read_mail_settings(home: Home) -> Config | None:
    """What can be used of settings that have mistakes, to tell a person of them; None where that is nothing."""
    try:
        config, mistakes = _read_tables(tomllib.loads(_load_text(home) or ""))
    except (ConfigurationError, ValueError, RecursionError):
        return None
    return None if any(mistake.startswith(("smtp", "notify")) for mistake in mistakes) else config


def change_config(home: Home, changes: Mapping[str, object]) -> None:
    """Write `changes` (dotted key to value; None removes the key) and leave everything else as the person wrote it.

    Nothing is written where the outcome would not be readable.
    """
    with changing_config(home, changes):
        pass


@contextmanager
def changing_config(home: Home, changes: Mapping[str, object]) -> Iterator[None]:
    """Check `changes` before a ``with`` block and write them after it, as `change_config` does.

    For what must be there before the settings name it.
    """
    prepare_home(home)
    try:
        with hold(home.settings_lock, wait_seconds=LOCK_SECONDS) as is_held:
            if not is_held:
                raise ConfigurationError("Another xpmsync is changing the settings.", "Try again when it has ended.")
            text = _load_text(home)
            if text is None:
                text = NEW_FILE
            _read_text(home, text)
            for name, value in changes.items():
                text = _change_text(text, SETTINGS[name], value)
            _read_text(home, text, is_written=False)
            yield
            with replaced(home.config_file.resolve()) as file:  # a link is followed, not replaced
                file.write(text.encode())
    except OSError as error:
        raise ConfigurationError(
            f"{home.config_file} cannot be written: {error.strerror}.", "Make room, or give the file back to its owner."
        ) from error


def discard_draft(home: Home) -> None:
    """Throw away what a process left behind that was killed while it changed the settings."""
    draft = find_draft(home.config_file.resolve())
    with suppress(OSError):  # it holds nothing that config.toml does not hold, or is about to
        if draft.exists():
            with hold(home.settings_lock) as is_held:
                if is_held:
                    draft.unlink(missing_ok=True)


def has_settings(home: Home) -> bool:
    """Whether there is a config.toml. Raises ConfigurationError where what is there is no file that can be read."""
    file = home.config_file
    try:
        check_link(file)
        if is_file := stat.S_ISREG(file.stat().st_mode):  # a pipe would keep us waiting
            file.open("rb").close()
    except FileNotFoundError:
        if not file.is_symlink():
            return False
        raise ConfigurationError(
            f"{file} is a link to {file.readlink()}, which is not there.",
            f"Put that file back. If it is lost, run: rm {shlex.quote(str(file))}; then: {connect_command()}",
        ) from None
    except OSError as error:
        raise _explain_unreadable(home, error) from error
    if not is_file:
        raise ConfigurationError(f"{file} is no file.", "Move it away, and put your settings in its place.")
    return True


def _load_text(home: Home) -> str | None:
    try:
        return home.config_file.read_text("utf-8-sig") if has_settings(home) else None  # some editors begin with a mark
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{home.config_file} is not UTF-8 text (byte {error.start}).", "Save the file as UTF-8 in your editor."
        ) from None
    except OSError as error:
        raise _explain_unreadable(home, error) from error


def _explain_unreadable(home: Home, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{home.config_file} cannot be read: {error.strerror}.", "Give the file back to the user who runs xpmsync."
    )


def _read_text(home: Home, text: str, *, is_written: bool = True) -> Config:
    """The settings in `text`, which config.toml says, or would say."""
    try:
        config, mistakes = _read_tables(tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits and 1,000 brackets are no TOMLDecodeError
        raise ConfigurationError(
            f"{home.config_file} cannot be read as TOML: {error}.",
            f"Correct the file{_hint(str(error))}. Every key is shown by: xpmsync configure --explain",
        ) from None
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        if not is_written:
            raise ConfigurationError(
                "\n  ".join([f"{home.config_file} is as it was, since with this it would have {count}:", *mistakes]),
                "Run it again with another answer, such as --smtp-security starttls.",
            )
        raise ConfigurationError(
            "\n  ".join([f"{home.config_file} has {count}:", *(_locate(mistake, text) for mistake in mistakes)]),
            "Correct the file. Every key is explained by: xpmsync configure --explain",
        )
    return config


def _hint(complaint: str) -> str:
    """What is usually the matter where the TOML reader has this to say."""
    if complaint.startswith("Cannot"):
        return ": each section stands in it once, and so does each key in its section"
    if complaint.startswith(("Invalid value", "Unterminated string", "Illegal character", "Expected newline")):
        return ": texts stand in quotation marks"
    return ""


def _read_tables(tables: Mapping[str, object]) -> tuple[Config, list[str]]:
    """The settings in `tables`, and every mistake in them. Values are never repeated: one may be a secret."""
    mistakes: list[str] = []
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for section, table in tables.items():
        if not isinstance(table, dict):
            mistakes.append(f"{section}: must be a table, [{section}]" if section in SECTIONS else _unknown(section))
            continue
        if not table and section not in SECTIONS:
            mistakes.append(_unknown(section))
        for key, value in table.items():
            setting = SETTINGS.get(f"{section}.{key}")
            if setting is None:
                mistakes.append(_unknown(f"{section}.{key}"))
                continue
            try:
                values[section][setting.attribute] = setting.check(value)
            except ValueError as error:
                mistakes.append(f"{setting.name}: {error}")
    smtp = values.pop("smtp")
    if isinstance(table := tables.get("smtp"), dict) and table:
        mistakes += [f"smtp.{key}: is needed to send mail" for key in ("host", "from") if key not in table]
        smtp.setdefault("port", USUAL_PORTS[smtp.get("security", "starttls")])
        if "username" in smtp and smtp.get("security") == "none" and not is_loopback(smtp.get("host", "localhost")):
            mistakes.append("smtp.security: must be starttls or tls; with none the password could be read on the way")
    if isinstance(table := tables.get("notify"), dict) and "cc" in table and "email" not in table:
        mistakes.append("notify.email: is needed beside notify.cc: the alert recipient, an active user")
    config = Config(
        smtp=SmtpSettings(**smtp) if smtp else None,
        **{section: SECTIONS[section](**given) for section, given in values.items()},
    )
    return config, mistakes


def _unknown(name: str) -> str:
    """What to say about a key that does not exist."""
    if remark := SECRETS.get(name):
        return f"{name}: {remark.replace('xpmsync connect', connect_command())}"
    elsewhere = [known for known in SETTINGS if known.endswith(f".{name.rpartition('.')[2]}")]
    return f"{name}: there is no such key.{suggest(elsewhere[0] if elsewhere else name, SETTINGS)}"


def _locate(mistake: str, text: str) -> str:
    """`mistake`, after the number of the line on which its key or table stands, where it stands in the usual way."""
    name, table = mistake.partition(":")[0], ""
    for number, line in enumerate(text.split("\n"), start=1):
        if found := re.match(r"\s*(\[?)([^][=#]+)[]=]", line):
            word = re.sub(r"[\s\"']", "", found[2])
            table, place = (word, word) if found[1] else (table, f"{table}.{word}".removeprefix("."))
            if place == name:
                return f"line {number}: {mistake}"
    return mistake


def _change_text(text: str, setting: Setting, value: object) -> str:
    """`text` with one key set or removed."""
    import tomlkit  # noqa: PLC0415 - slow to load, and most commands only read
    from tomlkit.items import Comment, Table  # noqa: PLC0415 - as above

    document = tomlkit.parse(text if text.endswith("\n") or not text else f"{text}\n")
    table = document.get(setting.section)
    if value is None:
        if table is not None:
            table.pop(setting.key, None)
        return tomlkit.dumps(document)
    value = list(value) if isinstance(value, tuple) else value
    if table is None:
        document[setting.section] = tomlkit.table().append(setting.key, value)
    elif setting.key in table or not isinstance(table, Table) or table.is_super_table():
        table[setting.key] = value
    else:
        # Beneath the key's own commented-out line, or the last key. tomlkit would put it at the table's end, beneath
        # the comment that introduces the next table. It does not notice the insertion, so the text is taken at once.
        place = 0
        for index, (key, item) in enumerate(table.value.body, start=1):
            if key is not None:
                place = index
            elif isinstance(item, Comment) and re.match(rf"#\s*{setting.key}\s*=", item.trivia.comment):
                place = index
                break
        table.value.body.insert(place, (tomlkit.key(setting.key), tomlkit.item(value)))
    return tomlkit.dumps(document)
