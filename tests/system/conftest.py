"""Tests with programs and services of the system: where one is missing they skip, but in CI it has to be there."""

import os
import shutil
import socket

import pytest


@pytest.fixture(scope="session")
def do_without():
    """Skips what cannot be tested here, and says why; in CI it fails."""

    def do_without(reason):
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)

    return do_without


@pytest.fixture(scope="session")
def require_program(do_without):
    """Gives the path of a program, or does without."""

    def require_program(name):
        return shutil.which(name) or do_without(f"{name} is not installed")

    return require_program


@pytest.fixture(scope="session")
def find_free_port():
    """Finds ports on 127.0.0.1 on which nobody listens."""

    def find_free_port():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find_free_port


@pytest.fixture
def free_port(find_free_port):
    """A port on 127.0.0.1 on which nobody listens."""
    return find_free_port()
