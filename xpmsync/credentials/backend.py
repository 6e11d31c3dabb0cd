"""The keyring of xpmsync's own, as ``keyring`` sees it: the Secret Service on a bus that runs for one command.

A module of its own, as the libraries of the Secret Service are slow to load and most homes need none. How the service
is started is for `xpmsync.credentials.daemon`, what is kept in it for `xpmsync.credentials.store`.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from keyring.backends import SecretService

from xpmsync.credentials.daemon import ServiceFiles, connect_to_bus
from xpmsync.errors import KeyringError


class OwnKeyring(SecretService.Keyring):
    """Has no window to ask in: a keyring that is locked stays locked."""

    def __init__(self, files: ServiceFiles, key_file: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's own
        self._files = files
        self._key_file = key_file

    def get_preferred_collection(self) -> Any:
        """The one collection there is, unlocked."""
        from secretstorage import Collection  # noqa: PLC0415 - Linux's alone

        with ExitStack() as stack:
            connection = connect_to_bus(self._files)
            stack.callback(connection.close)
            collection = Collection(connection)
            if collection.is_locked():
                raise KeyringError(
                    f"The key in {self._key_file} does not open xpmsync's own keyring, {self._files.store}.",
                    f"Put the key back that it was made with. If it is lost, so are the secrets; {self._files.way_out}",
                )
            stack.pop_all()  # keyring closes it after use
        return collection
