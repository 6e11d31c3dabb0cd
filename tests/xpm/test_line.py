"""Which trouble on the way to Xero a person can do something about, by the exceptions that requests raises of it."""

import ssl

import pytest
import requests
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError, SSLError

from xpmsync.xpm.line import find_obstacle

API = "https://api.xero.com"


def test_a_proxy_that_does_not_answer_is_named():
    with pytest.raises(requests.exceptions.ProxyError) as caught:
        requests.get(API, proxies={"https": "http://127.0.0.1:1"}, timeout=5)
    obstacle = find_obstacle(caught.value)
    assert obstacle.happened.startswith("The proxy through which this computer reaches the internet does not answer")
    assert "HTTPS_PROXY" in obstacle.remedy
    assert obstacle.details.startswith("ProxyError: ")


def test_a_certificate_that_nobody_vouches_for_is_named():
    reason = ssl.SSLCertVerificationError()
    reason.verify_message = "unable to get local issuer certificate"
    obstacle = find_obstacle(
        requests.exceptions.SSLError(MaxRetryError(HTTPSConnectionPool("api.xero.com"), API, SSLError(reason)))
    )
    assert obstacle.happened.endswith("cannot be trusted: unable to get local issuer certificate.")
    assert "REQUESTS_CA_BUNDLE" in obstacle.remedy


def test_trouble_that_passes_by_itself_is_the_caller_s_to_tell():
    error = requests.exceptions.ConnectionError("reset")
    error.__context__ = error.__cause__ = OSError()
    error.__cause__.__context__ = error  # whatever goes round in a circle is looked at once
    assert find_obstacle(error) is None
