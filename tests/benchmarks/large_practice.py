"""How long a sync of 15,000 clients takes, beside a baseline of the same minute: fetching and reading them alone.

    python tests/benchmarks/large_practice.py [--clients 15000] [--runs 5]

The baseline downloads the same answer in one piece and reads it into one lxml tree. Every figure is the median of whole
processes; the sandbox is a process of its own on the same processors.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

from xpmsync.config import XeroSettings
from xpmsync.sandbox.browser import press
from xpmsync.xpm.oauth import IdentityClient

BASELINE = """
import sys, requests
from lxml import etree
url, token, tenant = sys.argv[1:]
answer = requests.get(f"{url}/practicemanager/3.1/client.api/list?detailed=true", timeout=300,
                      headers={"Authorization": f"Bearer {token}", "xero-tenant-id": tenant})
assert len(etree.fromstring(answer.content).findall("Clients/Client")) > 0
"""


def measure(command: list[str], runs: int) -> str:
    """Run a command several times; gives the median and the range of its time in seconds."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began)
    return f"{statistics.median(seconds):5.2f} s  ({min(seconds):.2f} to {max(seconds):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=15_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    xpmsync = [sys.executable, "-m", "xpmsync"]
    sandbox = subprocess.Popen(
        [
            *xpmsync,
            "sandbox",
            "--port",
            str(port),
            "--clients",
            str(options.clients),
            "--switch",
            "limit_minute=100000",
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            set_up(Path(folder), url, xpmsync)
            token, tenant = sign_in(url)
            print(f"{options.clients} clients, {options.runs} runs each, {os.cpu_count()} processors")
            baseline = [sys.executable, "-c", BASELINE, url, token, tenant]
            print("download and read, nothing else ", measure(baseline, options.runs))
            print("first run                       ", measure([*xpmsync, "sync", "--full"], 1))
            print("full run, nothing changed       ", measure([*xpmsync, "sync", "--full"], options.runs))
            print("hourly run, nothing changed     ", measure([*xpmsync, "sync"], options.runs))
    finally:
        sandbox.terminate()


def set_up(folder: Path, url: str, xpmsync: list[str]) -> None:
    """Connect and configure as a person would, with the program that presses the button."""
    os.environ |= {
        "XPMSYNC_HOME": str(folder),
        "PYTHON_KEYRING_BACKEND": "xpmsync.sandbox.keyring.SandboxKeyring",
        "XPMSYNC_SANDBOX_KEYRING": url,
        "BROWSER": f"{sys.executable} -m xpmsync.sandbox.browser %s &",
    }
    (folder / "config.toml").write_text(
        f'[xero]\nclient_id = "sandbox-app"\nlogin_url = "{url}/identity"\nidentity_url = "{url}"\napi_url = "{url}"\n'
    )
    wait_until_it_answers(url)
    subprocess.run([*xpmsync, "connect"], check=True, stdout=subprocess.DEVNULL)
    partner = requests.get(f"{url}/sandbox/staff", timeout=30).json()[1]["Email"]
    subprocess.run(
        [*xpmsync, "configure", "--office", "MAIN", "--office-name", "Main", "--later"]
        + ["--default-partner", partner, "--notify", partner],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def wait_until_it_answers(url: str) -> None:
    """Until the sandbox has made its practice."""
    for _ in range(600):
        try:
            requests.get(f"{url}/sandbox", timeout=5)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    sys.exit("The sandbox never answered.")


def sign_in(url: str) -> tuple[str, str]:
    """An access token of its own for the baseline, and the practice's tenant id."""
    settings = XeroSettings(client_id="sandbox-app", login_url=f"{url}/identity", identity_url=url, api_url=url)
    consent = IdentityClient(settings).ask_for_consent()
    token = consent.redeem(press(consent.address).partition("code=")[2].partition("&")[0]).access_token
    headers = {"Authorization": f"Bearer {token}"}
    return token, requests.get(f"{url}/connections", headers=headers, timeout=10).json()[0]["tenantId"]


if __name__ == "__main__":
    main()
