"""Connection errors in words: which host, for what reason, and what to check on this side first.

The exception of a connection that failed in, an exception for a person out. Names hosts and ports alone: what was asked
for, and what a proxy or a server says of itself, stays out.
"""

import errno
import os
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies, select_proxy

from xpmsync.errors import ConfigurationError, ConnectionFailed

AUTHORITIES_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""What requests looks for a file (or a folder) of certificate authorities in: the first that is not empty."""
UNREACHABLE: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
NETWORK: Final = "Check this computer's internet connection"
PROXY: Final = "If this network needs a proxy, set HTTPS_PROXY, for cron in the crontab."
INSPECTION: Final = (
    "If a firewall or a virus scanner here reads encrypted connections, exclude Xero's addresses (login, identity and "
    "api.xero.com) from that, or name its authority's file in the variable REQUESTS_CA_BUNDLE"
)


@dataclass(frozen=True)
class _Kind:
    """One way in which a connection fails: how it is recognised, what is said of it, what to check."""

    causes: tuple[type[BaseException], ...]
    happened: str
    check: str
    errors: tuple[int, ...] = ()
    """The numbers of the operating system that are meant; none: all."""

    def is_met(self, cause: BaseException) -> bool:
        """Whether an exception shows this kind."""
        return isinstance(cause, self.causes) and (not self.errors or getattr(cause, "errno", None) in self.errors)


SILENCE: Final = _Kind(
    (urllib3.exceptions.TimeoutError, TimeoutError),
    "{host} has not finished its answer in time.",
    f"{NETWORK}, its firewall and proxy.",
)
KINDS: Final = (
    _Kind(
        (ssl.SSLCertVerificationError,),
        "The certificate that this computer was shown for {host} cannot be trusted: {reason}.",
        f"{INSPECTION}; if not, check this computer's clock.",
    ),
    _Kind(
        (requests.exceptions.InvalidProxyURL, requests.exceptions.InvalidSchema),
        "The proxy that leads this computer to {host} has an address that cannot be used.",
        "Check the variable HTTPS_PROXY; for cron it is set in the crontab.",
    ),
    _Kind(
        (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError),
        "The proxy{proxy} does not connect this computer to {host}: {reason}.",
        "Check the proxy and the variable HTTPS_PROXY; for cron it is set in the crontab.",
    ),
    _Kind(
        (socket.gaierror,),
        "The name of {host} cannot be looked up: {reason}.",
        f"{NETWORK} and its DNS server. {PROXY}",
    ),
    _Kind(
        (ConnectionRefusedError,),
        "{host} refuses the connection: {reason}.",
        f"Check whether a firewall here is in the way. {PROXY}",
    ),
    _Kind((OSError,), "{host} cannot be reached: {reason}.", f"{NETWORK}.", UNREACHABLE),
    _Kind(
        (urllib3.exceptions.ConnectTimeoutError, requests.exceptions.ConnectTimeout),
        "{host} cannot be reached: no answer in time.",
        f"{NETWORK} and its firewall. {PROXY}",
    ),
    _Kind(
        (ssl.SSLError,),
        "No encrypted connection to {host} comes about: {reason}.",
        f"{INSPECTION}. {PROXY}",
    ),
    SILENCE,
    _Kind((BaseException,), "The connection to {host} broke: {reason}.", f"{NETWORK}, its firewall and proxy."),
)
"""The first that one of the causes shows is what happened."""


def check_authorities(address: str) -> None:
    """Raise ConfigurationError where the environment names certificate authorities that cannot be read.

    requests finds out in the middle of a call, and its error names neither the variable nor the reason.
    """
    variable = next(filter(os.environ.get, AUTHORITIES_VARIABLES), None)
    if variable is None or urlsplit(address).scheme != "https":
        return
    path = Path(os.environ[variable])
    try:
        if path.is_dir():
            return
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        reason = "It holds no certificate that can be read"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return
    raise ConfigurationError(
        f"The variable {variable} names a file of certificate authorities that cannot be used: {path}. {reason}.",
        f"Correct {variable} or remove it; for cron it is set in the crontab (crontab -e). Then run: xpmsync doctor",
    )


def explain_connection_error(error: BaseException, address: str, *, uses_proxy: bool = True) -> ConnectionFailed:
    """What kept an answer of `address` (a URL) from coming. `uses_proxy` where the machine's proxy may be used."""
    causes = list(_causes(error))
    kind = next(kind for kind in KINDS if any(map(kind.is_met, causes)))
    proxy = _find_proxy(address) if uses_proxy else None
    happened = kind.happened.format(
        host=name_host(address), reason=_find_reason(causes), proxy=f" {proxy}" if proxy else ""
    )
    return ConnectionFailed(happened, kind.check, details=describe_error(error))


def explain_silence(address: str) -> ConnectionFailed:
    """An answer that did not come, or did not end, in time."""
    return ConnectionFailed(SILENCE.happened.format(host=name_host(address)), SILENCE.check)


def explain_interception(address: str, what: str, details: str | None = None) -> ConnectionFailed:
    """An answer that is not Xero's: `what` something on the way has done."""
    return ConnectionFailed(
        f"Something between here and {name_host(address)} {what}.",
        "Check the proxy and the firewall of this network, and whether it asks for a sign-in on a web page of its own.",
        details=details,
    )


def name_host(address: str) -> str:
    """The host of a URL, with its port where that is not the usual one."""
    parts = urlsplit(address)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _find_proxy(address: str) -> str | None:
    """The proxy that the machine's settings name for an address, without the user and password it may hold."""
    proxy = select_proxy(address, get_environ_proxies(address))
    try:
        return name_host(proxy if "://" in proxy else f"http://{proxy}") if proxy else None
    except ValueError:  # the port is no number
        return None


def _find_reason(causes: list[BaseException]) -> str:
    """The operating system's or OpenSSL's word for it. What a server or a proxy says may hold anything."""
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return cause.reason.replace("_", " ").lower()
        if isinstance(cause, OSError) and cause.errno and cause.strerror:
            return cause.strerror
        if found := re.match(r"Tunnel connection failed: (\d{3})\b", str(cause)):
            return "it asks for a user name and password" if found[1] == "407" else f"it answers with status {found[1]}"
    if any(isinstance(cause, urllib3.exceptions.TimeoutError) for cause in causes):
        return "no answer in time"
    return "it was closed before the answer was complete"


def describe_error(error: BaseException) -> str:
    """The kinds of `error` and of its causes, for the log. Their texts may quote what came over the network."""
    return ", ".join(map(_describe_cause, _causes(error)))


def _describe_cause(cause: BaseException) -> str:
    name = type(cause).__name__
    return f"{name} ({cause.strerror})" if isinstance(cause, OSError) and cause.errno else name


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and all those that it wraps: requests and urllib3 put them into `args` and `reason`."""
    waiting, seen = [error], set()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        parts = (*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__)
        waiting += [part for part in parts if isinstance(part, BaseException)]
