"""The calls of the Practice Manager API 3.1: which records belong into which answer.

Responsible for staff, client and group lists, filters and pages. Refuses to know who asks, whether they may, and
HTTP.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from xpmsync.sandbox.practice import Client, Practice
from xpmsync.sandbox.switches import Switches
from xpmsync.sandbox.wire import (
    Detail,
    Document,
    Form,
    render_client,
    render_elements,
    render_error,
    render_group,
    render_list,
    render_one,
    render_staff,
)

BASE_PATH: Final = "/practicemanager/3.1/"
_MAX_PAGE_SIZE: Final = 500  # Xero's docs
_DEFAULT_PAGE_SIZE: Final = 50
_READING_SCOPES: Final = {"staff.api": "practicemanager.staff", "client.api": "practicemanager.client"}


def scopes_for(call: str) -> frozenset[str]:
    """The scopes of which one is enough for a call; client groups come with the clients."""
    resource = call.partition("/")[0].replace("clientgroup", "client")
    scope = _READING_SCOPES.get(resource, "practicemanager")
    return frozenset({"practicemanager", scope, f"{scope}.read"})


def answer_call(
    practice: Practice, switches: Switches, call: str, query: Mapping[str, str], url: str
) -> Document | None:
    """The XML for a call such as `client.api/list`; None where Practice Manager has no such call."""
    with practice.lock:
        match call.split("/"):
            case ["staff.api", "list"]:
                document = _list_staff(practice, switches)
            case ["client.api", "list"]:
                document = _list_clients(practice, switches, query)
            case ["client.api", "paged-list"]:
                document = _list_page(practice, switches, query, url)
            case ["client.api", "get", uuid]:
                document = _get_client(practice, switches, uuid)
            case ["clientgroup.api", "list"]:
                document = render_list("Groups", [render_group(group) for group in practice.groups.values()])
            case ["clientgroup.api", "get", uuid]:
                document = _get_group(practice, uuid)
            case _:
                return None
    return _decorated(document, switches)


def _form(switches: Switches) -> Form:
    return Form(switches.empty_elements, switches.uuid_last)


def _list_staff(practice: Practice, switches: Switches) -> Document:
    listed = [
        staff
        for staff in practice.staff.values()
        if (switches.deleted_staff_listed or not staff.deleted)
        and (switches.disabled_staff_listed or not staff.disabled)
    ]
    return render_list("StaffList", [render_staff(staff, _form(switches)) for staff in listed])


def _list_clients(practice: Practice, switches: Switches, query: Mapping[str, str]) -> Document:
    """All clients, archived and deleted ones too (S). `page` is ignored: the same list comes back for ever (S)."""
    clients = list(practice.clients.values())
    if "modifiedsince" in query:
        try:
            since = datetime.strptime(query["modifiedsince"], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return render_error("Invalid modifiedsince", "List")
        clients = [client for client in clients if _is_modified(practice, client, int(since), switches)]
    detail: Detail = "detailed" if query.get("detailed") == "true" else "plain"
    return render_list("Clients", [render_client(client, _form(switches), detail) for client in clients])


def _is_modified(practice: Practice, client: Client, since: int, switches: Switches) -> bool:
    if client.archived and not switches.modifiedsince_archived:
        return False
    if client.deleted and not switches.modifiedsince_deleted:
        return False
    modified_at = practice.modified_at(
        client,
        contacts=switches.contact_touches_client,
        groups=switches.group_membership_touches_client,
        group_names=switches.group_rename_touches_client,
        staff_names=switches.staff_name_touches_client,
        custom_fields=switches.custom_field_touches_client,
    )
    return int(modified_at) > since or (switches.modifiedsince_inclusive and int(modified_at) == since)


def _list_page(practice: Practice, switches: Switches, query: Mapping[str, str], url: str) -> Document:
    """One page of the clients that are neither archived nor deleted.

    The token names the last client of the page before.
    """
    size_text = query.get("pageSize", str(_DEFAULT_PAGE_SIZE))
    if not size_text.isdecimal() or not 1 <= int(size_text) <= _MAX_PAGE_SIZE:
        return render_error("Invalid pageSize", "List")
    clients = [client for client in practice.clients.values() if not client.archived and not client.deleted]
    if token := query.get("pageToken"):
        last_number = _read_page_token(token)
        if last_number is None:
            return render_error("Invalid pageToken", "List")
        clients = [client for client in clients if client.number > last_number]
    page = clients[: int(size_text)]
    more = len(clients) > len(page)
    address = f"{url}{BASE_PATH}client.api/paged-list"
    links = {"First": f"{address}?pageSize={size_text}"}
    if more:
        links["Next"] = f"{address}?pageToken={_page_token(page[-1].number)}&pageSize={size_text}"
    elif switches.paged_list_last_next == "empty":
        links["Next"] = ""
    pagination = render_elements([("Pagination", {"Links": links})]).encode()
    form, number = _form(switches), switches.paged_list_business_number
    return render_list(
        "Clients",
        [render_client(client, form, "paged", business_number=number) for client in page],
        after=pagination,
    )


def _page_token(number: int) -> str:
    return base64.urlsafe_b64encode(f"after {number}".encode()).rstrip(b"=").decode()


def _read_page_token(token: str) -> int | None:
    try:
        number = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().removeprefix("after ")
        return int(number)
    except ValueError:
        return None


def _get_client(practice: Practice, switches: Switches, uuid: str) -> Document:
    client = practice.clients.get(uuid.lower())
    if client is None:
        return render_error("Invalid client identifier")
    web_url = f"https://practicemanager.xero.com/Client/{client.number}/Detail"
    return render_one(render_client(client, _form(switches), "detailed"), web_url=web_url)


def _get_group(practice: Practice, uuid: str) -> Document:
    group = practice.groups.get(uuid.lower())
    if group is None:
        return render_error("Invalid client group identifier")
    return render_one(render_group(group, practice.group_members(group.uuid)))


def _decorated(document: Document, switches: Switches) -> Document:
    """The document with a declaration and line breaks, where the switches want them."""
    if switches.xml_line_breaks:
        document = document.with_line_breaks()
    return document.with_declaration() if switches.xml_declaration else document
