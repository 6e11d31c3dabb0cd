"""What stands between this computer and Xero, where it can be told: a certificate that nobody vouches for, a proxy.

The exception of a line that did not come about in, words that help out. Everything else on the way passes by itself and
is the caller's to tell.
"""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import requests

from xpmsync.errors import ConfigurationError, PassingTrouble

AUTHORITIES_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""What requests looks for a file (or a folder) of certificate authorities in: the first that is not empty."""


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


def find_obstacle(error: BaseException) -> PassingTrouble | None:
    """The trouble to raise for `error` where a person can do something about it; None where it passes by itself."""
    details = describe_error(error)
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return PassingTrouble(
                "The certificate that this computer was shown in Xero's name cannot be trusted: "
                f"{cause.verify_message}.",
                "If a firewall or a virus scanner here reads what goes over the line, except Xero's addresses "
                "(login, identity and api.xero.com) from that, or name its authority's file in the variable "
                "REQUESTS_CA_BUNDLE; if not, check this computer's clock.",
                details=details,
            )
        if isinstance(cause, requests.exceptions.ProxyError):
            return PassingTrouble(
                "The proxy through which this computer reaches the internet does not answer or refuses.",
                "Check the proxy and the variable HTTPS_PROXY; for cron it is set in the crontab.",
                details=details,
            )
    return None


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
