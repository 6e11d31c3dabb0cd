"""What a user would pick instead: the same clients into one SQLite table, each way as its documentation has it.

    python rivals.py upsert_all|streaming|dlt URL DATABASE

`upsert_all` parses the answer as xmltodict's first example does, and `streaming` in the mode that it has for large
documents; both write with sqlite-utils. `dlt` loads pages into its SQLite destination. Of its two ways to load all
there is, "replace" is the quicker: "merge" deletes the rows of before without an index.

None of them keeps a history, matches, judges or reports: they end where xpmsync's mirror does.
"""

import os
import sys
from collections.abc import Callable, Iterator

PACKAGES = {
    "upsert_all": ("requests", "xmltodict", "sqlite-utils"),
    "streaming": ("requests", "xmltodict", "sqlite-utils"),
    "dlt": ("requests", "xmltodict", "dlt[sqlalchemy]"),
}
TEXTS = (
    *("UUID", "Name", "FirstName", "LastName", "Title", "Email", "Phone", "Fax", "ClientCode", "Address", "City"),
    *("Region", "PostCode", "PostalAddress", "PostalCity", "PostalRegion", "PostalPostCode", "BusinessNumber"),
    *("BusinessStructure", "IsArchived", "IsDeleted"),
)
LISTS = ("Contact", "Group")
PAGE = 1000
HEADERS = {"Authorization": "Bearer prepared", "xero-tenant-id": "prepared"}


def ask(url: str):
    import requests  # noqa: PLC0415 - whoever asks for a rival's packages has none of them

    address = f"{url}/practicemanager/3.1/client.api/list?detailed=true"
    answer = requests.get(address, headers=HEADERS, stream=True, timeout=300)
    answer.raise_for_status()
    answer.raw.decode_content = True
    return answer


def pick(client: dict) -> dict:
    """The supported fields of one client."""
    staff = {
        f"{name}{part}": (client.get(name) or {}).get(part)
        for name in ("AccountManager", "JobManager")
        for part in ("UUID", "Name")
    }
    return {name: client.get(name) for name in (*TEXTS, "Contacts", "Groups")} | staff


def stream(url: str, take: Callable[[dict], None]) -> None:
    """Hand over each client while the answer arrives."""
    import xmltodict  # noqa: PLC0415

    def handle_client(_path, client) -> bool:
        take(pick(client))
        return True

    with ask(url) as answer:
        xmltodict.parse(answer.raw, item_depth=3, item_callback=handle_client, force_list=LISTS)


def upsert_all(url: str, path: str) -> None:
    import sqlite_utils  # noqa: PLC0415
    import xmltodict  # noqa: PLC0415

    with ask(url) as answer:
        document = xmltodict.parse(answer.content, force_list=LISTS)
    clients = document["Response"]["Clients"]["Client"]
    sqlite_utils.Database(path)["clients"].upsert_all(map(pick, clients), pk="UUID")


def streaming(url: str, path: str) -> None:
    import sqlite_utils  # noqa: PLC0415

    table = sqlite_utils.Database(path)["clients"]
    page: list[dict] = []

    def take(client: dict) -> None:
        page.append(client)
        if len(page) == PAGE:
            table.upsert_all(page, pk="UUID")
            page.clear()

    stream(url, take)
    table.upsert_all(page, pk="UUID")


def dlt(url: str, path: str) -> None:
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    import dlt  # noqa: PLC0415

    @dlt.resource(name="clients", primary_key="UUID", write_disposition="replace")
    def clients() -> Iterator[list[dict]]:
        # A callback cannot yield: the clients are together before the first page is.
        together: list[dict] = []
        stream(url, together.append)
        for start in range(0, len(together), PAGE):
            yield together[start : start + PAGE]

    dlt.pipeline(
        "xpm",
        destination=dlt.destinations.sqlalchemy(f"sqlite:///{path}"),
        dataset_name="main",
        pipelines_dir=f"{path}-pipelines",
    ).run(clients()).raise_on_failed_jobs()


if __name__ == "__main__":
    {"upsert_all": upsert_all, "streaming": streaming, "dlt": dlt}[sys.argv[1]](*sys.argv[2:])
