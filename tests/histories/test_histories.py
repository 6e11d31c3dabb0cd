"""Random histories of a firm and its practice: after every run, Active is what `model.py` says, and nothing is lost."""

import functools
import logging
import os
import random
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from model import DEFAULT_OFFICE, Accepted, Answers, Losses, Model, Record, find_person, find_status, same, trim
from vocabulary import (
    ADDRESSES,
    CODES,
    CONTACTS,
    EDITS,
    ELEMENTS,
    FILLINGS,
    FORMERS,
    GLITCHES,
    GOOD_ADDRESSES,
    GROUP_NAMES,
    GROUPS,
    HOUR_SECONDS,
    LIMITS,
    LISTS,
    MANY,
    MOST_CLIENTS,
    MOST_GROUPS,
    MOST_OFFICES,
    MOST_STAFF,
    OPTIONS,
    OUTAGES,
    PEOPLE,
    PERSONS,
    STAFF,
    STRANGERS,
    SWITCHES,
    TROUBLES,
    WHICH,
)
from world import DATA_TABLES, RUN_TABLES, Killed, Records, Snapshot, Spoil, World, as_it_is, dying_after

from xpmsync.admin import clients as admin_clients
from xpmsync.admin import links as admin_links
from xpmsync.admin import offices as admin_offices
from xpmsync.admin import users as admin_users
from xpmsync.errors import InvalidRequest, SuspiciousChange, XpmsyncError
from xpmsync.rules.fields import CLIENT_FIELDS

pytestmark = pytest.mark.slow

IN_CI = os.environ.get("CI") == "true"
SESSIONS = 12 if IN_CI else 2
EXAMPLES, STEPS, LEAST_STEPS = 10, 100, 840
"""Of a session; in CI all of them play more than 10,000 steps. After ten examples hypothesis begins to repeat them with
small changes; new ones find more."""
STEPS_BETWEEN_RUNS = 5
IS_PLAYED_AGAIN = "HISTORIES_SEED" in os.environ
SEED = int(os.environ.get("HISTORIES_SEED", random.SystemRandom().getrandbits(32)))

OVERLAP_SECONDS = 600

played = Counter()


def step(**arguments):
    """Something that people or the world do; counted."""

    def count(function):
        @functools.wraps(function)
        def counted(self, **drawn):
            played["steps"] += 1
            self.steps_since_run += 1
            self.is_refuted = True
            function(self, **drawn)
            self.is_refuted = False

        return rule(**arguments)(counted)

    return count


def run(**arguments):
    """A step that runs the sync; not before something has happened."""
    has_something_happened = precondition(lambda self: self.steps_since_run >= STEPS_BETWEEN_RUNS)
    return lambda function: has_something_happened(step(**arguments)(function))


class Histories(RuleBasedStateMachine):
    """Rules are what people, machines and the world do; `_run` is where Active is judged."""

    @initialize(
        switches=SWITCHES,
        limits=LIMITS,
        skew_hours=st.integers(-24, 24),
        staff=st.sampled_from([3, 4, 5, 2, 1, 0]),
        clients=st.sampled_from([3, 6, 5, 4, 7, 8, 9, 2, 1, 0]),
        has_default_partner=st.sampled_from([True, True, False]),
    )
    def begin(self, switches, limits, skew_hours, staff, clients, has_default_partner):
        self.world = World(switches, limits)
        self.world.skew = timedelta(hours=skew_hours)
        self.practice = self.world.practice
        self.model = Model(limits)
        self.stops: dict[int, tuple[str, Losses]] = {}
        """The syncs that the safety limits stopped, and what a person may accept of each: number to mode and losses."""
        self.told_until = None
        """Up to when, on Xero's clock, everything has been told."""
        self.is_refuted, self.steps_since_run = False, 0
        self.vanished = {}
        for email in [*STAFF][:staff]:
            self.practice.add_staff(STAFF[email], email)
        for number in range(clients):
            self.practice.add_client(
                f"Client {number} Ltd",
                client_code=f"{'ABCDEFGHI'[number]}{number + 1}" if number % 3 else None,
                account_manager=pick(self.practice.staff, number) if number % 4 else None,
                groups=["Farms"] if number % 2 else [],
                contacts=[{"salutation": "Sal", "is_primary": "Yes"}],
            )
        if has_default_partner:
            self._run()
            self._choose_default_partner(which=0)

    def teardown(self):
        if hasattr(self, "world"):
            try:
                if not self.is_refuted:
                    self._run(full=True)
            finally:
                self.world.close()

    # In XPM: staff.

    @precondition(lambda self: len(self.practice.staff) < MOST_STAFF)
    @step(name=PERSONS, email=ADDRESSES)
    def add_staff(self, name, email):
        self.practice.add_staff(name, email)

    @precondition(lambda self: self.practice.staff)
    @step(which=WHICH, name=PERSONS)
    def rename_staff(self, which, name):
        self.practice.edit_staff(pick(self.practice.staff, which), name=name)

    @precondition(lambda self: self.practice.staff)
    @step(which=WHICH, email=ADDRESSES)
    def change_address(self, which, email):
        self.practice.edit_staff(pick(self.practice.staff, which), email=email)

    @precondition(lambda self: len(self.practice.staff) > 1)
    @step(which=WHICH, number=st.integers(2, 3))
    def rotate_addresses(self, which, number):
        uuids = neighbours(self.practice.staff, which, number)
        emails = [self.practice.staff[uuid].elements.get("Email") for uuid in uuids]
        for uuid, email in zip(uuids, emails[1:] + emails[:1], strict=True):
            self.practice.edit_staff(uuid, email=email)

    @precondition(lambda self: self.practice.staff)
    @step(which=WHICH, what=st.sampled_from(["delete_staff", "disable_staff", "enable_staff", "restore"]))
    def let_staff_go_or_come(self, which, what):
        uuid = pick(self.practice.staff, which)
        if what == "restore":
            self.practice.staff[uuid].deleted = False
        else:
            getattr(self.practice, what)(uuid)

    @precondition(lambda self: 0 < len(self.practice.staff) < MOST_STAFF)
    @step(which=WHICH)
    def recreate_staff(self, which):
        self.practice.recreate_staff(pick(self.practice.staff, which))

    # In XPM: clients.

    @precondition(lambda self: len(self.practice.clients) < MOST_CLIENTS)
    @step(edits=EDITS, people=PEOPLE)
    def add_client(self, edits, people):
        people = {"account_manager": len(self.practice.clients)} | people
        self.practice.add_client(**{"name": "Ngata Ltd"} | edits | self._find_people(people))

    @precondition(lambda self: self.practice.clients)
    @step(which=WHICH, edits=EDITS)
    def edit_client(self, which, edits):
        self.practice.edit_client(pick(self.practice.clients, which), **edits)

    @precondition(lambda self: self.practice.clients)
    @step(which=WHICH, code=CODES)
    def change_code(self, which, code):
        self.practice.edit_client(pick(self.practice.clients, which), client_code=code)

    @precondition(lambda self: len(self.practice.clients) > 1)
    @step(which=WHICH, number=st.integers(2, 4))
    def rotate_codes(self, which, number):
        uuids = neighbours(self.practice.clients, which, number)
        codes = [self.practice.clients[uuid].elements.get("ClientCode") for uuid in uuids]
        for uuid, code in zip(uuids, codes[1:] + codes[:1], strict=True):
            self.practice.edit_client(uuid, client_code=code)

    @precondition(lambda self: self.practice.clients)
    @step(which=WHICH, people=PEOPLE)
    def change_people(self, which, people):
        self.practice.edit_client(pick(self.practice.clients, which), **self._find_people(people))

    @precondition(lambda self: self.practice.clients)
    @step(which=WHICH, contacts=CONTACTS)
    def change_contacts(self, which, contacts):
        self.practice.edit_client(pick(self.practice.clients, which), contacts=contacts)

    @precondition(lambda self: self.practice.clients)
    @step(which=WHICH, groups=GROUPS)
    def change_groups(self, which, groups):
        known = [*self.practice.groups]
        members = groups and list(dict.fromkeys(known[group % len(known)] for group in groups if known))
        self.practice.edit_client(pick(self.practice.clients, which), groups=members)

    @precondition(lambda self: self.practice.clients)
    @step(which=WHICH)
    def change_a_custom_field(self, which):
        self.practice.edit_client(pick(self.practice.clients, which), extra="<Pronouns>she/her</Pronouns>")

    @precondition(lambda self: self.practice.clients)
    @step(which=WHICH, what=st.sampled_from(["archive_client", "delete_client", "restore_client"]))
    def archive_delete_or_restore(self, which, what):
        getattr(self.practice, what)(pick(self.practice.clients, which))

    @precondition(lambda self: self.practice.clients)
    @step(what=MANY, text=st.sampled_from([None, ""]))
    def close_or_empty_all_clients(self, what, text):
        self._close_or_empty_all(what, text)

    def _close_or_empty_all(self, what, text):
        nonsense = {
            "salutation": {"contacts": [{"salutation": text, "is_primary": "Yes"}]},
            "is_primary": {"contacts": [{"salutation": "Ann", "is_primary": text}]},
            "unreadable number": {"business_number": "n/a"},
            "unknown manager": {"job_manager": STRANGERS["a stranger"]},
            "nameless group": {"groups": [self._find_group("")]} if what == "nameless group" else {},
        }
        for uuid in self.practice.clients:
            if what in nonsense:
                self.practice.edit_client(uuid, **nonsense[what])
            elif what in ELEMENTS:
                self.practice.edit_client(uuid, **{what: text})
            else:
                getattr(self.practice, what)(uuid)

    @precondition(lambda self: self.practice.staff)
    @step(keyword=st.sampled_from(["name", "email"]), text=st.sampled_from([None, ""]))
    def empty_all_staff(self, keyword, text):
        for uuid in self.practice.staff:
            self.practice.edit_staff(uuid, **{keyword: text})

    @precondition(lambda self: self.practice.clients)
    @step(which=WHICH)
    def vanish(self, which):
        uuid = pick(self.practice.clients, which)
        self.vanished[uuid] = self.practice.clients[uuid]
        self.practice.vanish_client(uuid)

    @precondition(lambda self: self.vanished and len(self.practice.clients) < MOST_CLIENTS)
    @step(which=WHICH)
    def come_back(self, which):
        uuid = pick(self.vanished, which)
        client = self.practice.clients[uuid] = self.vanished.pop(uuid)
        self.practice.restore_client(uuid)
        if "Groups" in client.elements:  # which may have got other names meanwhile
            self.practice.edit_client(uuid, groups=[group["UUID"] for group in client.elements["Groups"]])

    @precondition(lambda self: 0 < len(self.practice.clients) < MOST_CLIENTS)
    @step(which=WHICH, former=st.sampled_from(FORMERS), edits=st.just({}) | EDITS, is_thin=st.booleans())
    def recreate_client(self, which, former, edits, is_thin):
        uuid = pick(self.practice.clients, which)
        fresh = self.practice.recreate_client(uuid, former=former)
        self.practice.edit_client(fresh, **edits)
        if is_thin:
            self.practice.edit_client(fresh, contacts=None, groups=None)

    @precondition(lambda self: len(self.practice.clients) > 1)
    @step(which=WHICH)
    def merge_clients(self, which):
        self.practice.merge_clients(*neighbours(self.practice.clients, which, 2))

    @precondition(lambda self: len(self.practice.groups) < MOST_GROUPS)
    @step(name=GROUP_NAMES)
    def add_group(self, name):
        self.practice.add_group(name)

    @precondition(lambda self: self.practice.groups)
    @step(which=WHICH, name=GROUP_NAMES)
    def rename_group(self, which, name):
        self.practice.rename_group(pick(self.practice.groups, which), name)

    # In Active: the administrator, in the Admin Centre or with another program.

    @step(which=WHICH)
    def set_a_default_partner(self, which):
        self._choose_default_partner(which)

    def _choose_default_partner(self, which):
        office = pick(self.model.offices, which)
        user = pick(self._active_users(), which)
        if user is None:
            return
        email = user.values["email"]
        if self.world.administer(lambda session: admin_offices.set_office(session, office, default_partner=email)):
            self.model.offices[office] = user.id

    @step(which=WHICH)
    def take_a_default_partner_away(self, which):
        office = pick(self.model.offices, which)
        assert self.world.administer(
            lambda session: admin_offices.set_office(session, office, clear_default_partner=True)
        )
        self.model.offices[office] = None

    @precondition(lambda self: len(self.model.offices) < MOST_OFFICES)
    @step()
    def open_an_office(self):
        code = next(code for number in range(1, 10) if (code := f"O{number}") not in self.model.offices)
        assert self.world.administer(lambda session: admin_offices.add_office(session, code, "An office"))
        self.model.offices[code] = None

    @precondition(lambda self: self.model.active_users)
    @step(which=WHICH)
    def set_up_a_user(self, which):
        user, office = pick(self.model.active_users, which), pick(self.model.offices, which)
        user = self.model.active_users[user]
        if self.world.administer(
            lambda session: admin_users.set_users(
                session, [user.values["email"]], role="Admin", office=office, modules=["Forms"]
            )
        ):
            user.values |= {"role": "Admin", "office_code": office}

    @precondition(lambda self: self.model.active_users)
    @step(which=WHICH, is_active=st.booleans())
    def switch_a_user_on_or_off(self, which, is_active):
        user = self.model.active_users[pick(self.model.active_users, which)]
        switch = admin_users.activate_user if is_active else admin_users.deactivate_user
        if self.world.administer(lambda session: switch(session, user.values["email"])):
            user.status = "active" if is_active else "deactivated"

    @precondition(lambda self: self.model.active_users)
    @step(which=WHICH, email=GOOD_ADDRESSES)
    def give_a_user_another_address(self, which, email):
        user = self.model.active_users[pick(self.model.active_users, which)]
        present = user.values["email"]
        if self.world.administer(lambda session: admin_users.set_users(session, [present], email=email)):
            assert user.xpm_uuid not in self.model.staff or email == present
            user.values["email"] = email

    @step(first_name=st.sampled_from(["Ann", "Bob"]), email=GOOD_ADDRESSES)
    def add_a_user_by_hand(self, first_name, email):
        if self.world.administer(lambda session: admin_users.add_user(session, first_name, "Lee", email)):
            values = {"role": None, "office_code": None, "first_name": first_name, "last_name": "Lee", "email": email}
            (row,) = self.world.rows("SELECT id FROM users WHERE email = ?", email)
            self.model.active_users[row["id"]] = Record(row["id"], values)

    @step(
        which=WHICH,
        name=st.sampled_from(["Ngata Ltd", "Lee"]),
        code=CODES,
        abn=st.sampled_from([None, "53004085616"]),
        has_partner=st.booleans(),
    )
    def add_a_client_by_hand(self, which, name, code, abn, has_partner):
        user, office = pick(self._active_users(), which), pick(self.model.offices, which)
        if user is None:
            return
        values = {"legal_name": name, "code": trim(code), "abn": abn, "telephone": "typed"}
        partner_id = user.id if has_partner else self.model.offices[office]
        partner = user.values["email"] if has_partner else None
        known = {row["id"] for row in self.world.rows("SELECT id FROM clients")}
        if self.world.administer(
            lambda session: admin_clients.add_client(session, values, partner=partner, office=office)
        ):
            (fresh,) = {row["id"] for row in self.world.rows("SELECT id FROM clients")} - known
            values |= {"partner_id": partner_id, "office_code": office}
            self.model.active_clients[fresh] = Record(fresh, values, has_chosen_partner=has_partner)

    @precondition(lambda self: self.model.active_clients)
    @step(
        which=WHICH,
        column=st.sampled_from(["telephone", "fax", "code", "abn", "legal_name"]),
        text=st.sampled_from(["1", "typed"]),
    )
    def change_a_client_in_the_admin_centre(self, which, column, text):
        client = self.model.active_clients[pick(self.model.active_clients, which)]
        is_done = self.world.administer(lambda session: admin_clients.set_client(session, client.id, {column: text}))
        if is_done and client.values.get(column) != text:
            client.values[column] = text
            client.sent.pop(column, None)

    @precondition(lambda self: self.model.active_clients)
    @step(which=WHICH, other=WHICH, is_chosen=st.booleans())
    def choose_a_partner_or_leave_it_to_the_office(self, which, other, is_chosen):
        client = self.model.active_clients[pick(self.model.active_clients, which)]
        user = pick(self._active_users(), other)
        if is_chosen and user is None:
            return
        email = user.values["email"] if is_chosen else ""
        told = self.model.clients.get(client.xpm_uuid, {})
        is_named = find_person(told, "AccountManager") != (None, None) and find_status(told) == "active"
        before = client.values["partner_id"]
        is_done = self.world.administer(lambda session: admin_clients.set_client(session, client.id, {}, partner=email))
        if is_chosen and is_named:
            (row,) = self.world.rows("SELECT partner_id FROM clients WHERE id = ?", client.id)
            client.values["partner_id"] = row["partner_id"]  # what XPM tells of it may not have arrived yet
        elif is_chosen and is_done:
            client.values["partner_id"], client.has_chosen_partner = user.id, True
        elif is_done:
            client.has_chosen_partner = False
        assert is_chosen or client.values["partner_id"] == before

    @precondition(lambda self: self.model.active_clients)
    @step(
        which=WHICH,
        column=st.sampled_from(["telephone", "fax", "email", "individual_title", "code"]),
        text=st.sampled_from(["1", "typed", "ÄB", None]),
    )
    def type_into_a_client(self, which, column, text):
        client = self.model.active_clients[pick(self.model.active_clients, which)]
        others = {same(each.values.get("code")) for each in self.model.active_clients.values() if each is not client}
        if column == "code" and text and same(text) in others:
            return
        self.world.type_in(f"UPDATE clients SET {column} = ? WHERE id = ?", text, client.id)
        client.values[column] = text

    @precondition(lambda self: len(self.model.active_clients) > 1)
    @step(which=WHICH)
    def swap_two_codes_in_active(self, which):
        clients = [self.model.active_clients[each] for each in neighbours(self.model.active_clients, which, 2)]
        codes = [client.values.get("code") for client in clients]
        for client, code in zip(clients, [None, codes[0]], strict=True):
            self.world.type_in("UPDATE clients SET code = ? WHERE id = ?", code, client.id)
        self.world.type_in("UPDATE clients SET code = ? WHERE id = ?", codes[1], clients[0].id)
        for client, code in zip(clients, reversed(codes), strict=True):
            client.values["code"] = code

    @precondition(lambda self: self.model.active_users)
    @step(
        which=WHICH,
        column=st.sampled_from(["first_name", "last_name", "email"]),
        text=st.sampled_from(["typed", "dee@firm.example", "ÉLISE@firm.example"]),
    )
    def type_into_a_user(self, which, column, text):
        user = self.model.active_users[pick(self.model.active_users, which)]
        others = {same(each.values.get("email")) for each in self.model.active_users.values() if each is not user}
        if column == "email" and same(text) in others:
            return
        self.world.type_in(f"UPDATE users SET {column} = ? WHERE id = ?", text, user.id)
        user.values[column] = text

    @precondition(lambda self: self.model.active_clients and self.model.active_groups)
    @step(which=WHICH, other=WHICH)
    def put_a_client_into_a_group_by_hand(self, which, other):
        client = self.model.active_clients[pick(self.model.active_clients, which)]
        group, _ = self.model.active_groups[pick(self.model.active_groups, other)]
        self.world.type_in("INSERT OR IGNORE INTO client_group_members VALUES (?, ?)", client.id, group)
        client.groups.add(group)

    @precondition(lambda self: self.model.active_clients)
    @step(which=WHICH)
    def move_a_client_to_another_office(self, which):
        client = self.model.active_clients[pick(self.model.active_clients, which)]
        office = pick(self.model.offices, which)
        self.world.type_in("UPDATE clients SET office_code = ? WHERE id = ?", office, client.id)
        client.values["office_code"] = office

    @precondition(lambda self: self.model.active_groups)
    @step(which=WHICH)
    def delete_a_group_with_another_program(self, which):
        uuid = pick(self.model.active_groups, which)
        self.world.type_in(
            "DELETE FROM client_groups WHERE id = ?", self.model.active_groups[uuid][0], has_foreign_keys=False
        )
        self.model.lose_group(uuid)

    @precondition(lambda self: self.model.active_users)
    @step(which=WHICH)
    def delete_a_user_with_another_program(self, which):
        default_partners = {user: user for user in self.model.offices.values() if user in self.model.active_users}
        user = pick(default_partners or self.model.active_users, which)
        for table, column in (("user_modules", "user_id"), ("users", "id")):
            self.world.type_in(f"DELETE FROM {table} WHERE {column} = ?", user, has_foreign_keys=False)
        self.model.lose_user(user)

    @precondition(lambda self: len(self.model.offices) > 1)
    @step(which=WHICH)
    def delete_an_office_with_another_program(self, which):
        office = pick([*self.model.offices][1:], which)
        self.world.type_in("DELETE FROM offices WHERE code = ?", office, has_foreign_keys=False)
        del self.model.offices[office]

    @precondition(lambda self: self.model.active_users and self.practice.staff)
    @step(which=WHICH, other=WHICH, is_stranger=st.booleans())
    def link_a_user(self, which, other, is_stranger):
        user = self.model.active_users[pick(self.model.active_users, which)]
        uuid = STRANGERS["a stranger"][0] if is_stranger else pick(self.practice.staff, other)
        email = user.values["email"]
        if self.world.administer(lambda session: admin_links.link_user(session, email, uuid, may_move=True)):
            link(self.model.active_users, user, uuid)
            self.model.former.pop(uuid, None)
            self.model.lost_entries.pop(uuid, None)

    @precondition(lambda self: self.model.active_users and self.model.known_staff)
    @step(which=WHICH, other=WHICH, is_stranger=st.booleans())
    def link_a_user_to_a_former_entry(self, which, other, is_stranger):
        user = self.model.active_users[pick(self.model.active_users, which)]
        away = [uuid for uuid in self.model.known_staff if uuid not in self.model.staff]
        uuid = STRANGERS["a stranger"][0] if is_stranger or not away else pick(away, other)
        email = user.values["email"]
        if self.world.administer(lambda session: admin_links.link_former_entry(session, email, uuid)):
            assert all(each.xpm_uuid != uuid for each in self.model.active_users.values())
            self.model.former[uuid] = user
            self.model.lost_entries.pop(uuid, None)

    @precondition(lambda self: 0 < len(self.practice.staff) < MOST_STAFF and self.practice.clients)
    @run(which=WHICH, other=WHICH, element=st.sampled_from(["account_manager", "job_manager"]))
    def recreate_staff_whom_a_client_names_and_sync(self, which, other, element):
        """Xero's clients name the former entry, as those of a practice do when somebody is entered anew."""
        staff = pick(self.practice.staff, which)
        self.practice.edit_client(pick(self.practice.clients, other), **{element: staff})
        self._run()
        self.practice.recreate_staff(staff)
        self._run()

    @precondition(lambda self: self.model.active_clients and self.model.clients)
    @step(which=WHICH, other=WHICH)
    def link_a_client(self, which, other):
        client = self.model.active_clients[pick(self.model.active_clients, which)]
        uuid = pick(self.model.clients, other)
        if self.world.administer(lambda session: admin_links.link_client(session, client.id, uuid, may_move=True)):
            link(self.model.active_clients, client, uuid)

    # Time and the machines.

    @step(seconds=OUTAGES)
    def let_time_pass(self, seconds):
        self.world.xero_clock.advance(seconds)

    @step(hours=st.integers(-24, 24))
    def set_the_firm_s_clock(self, hours):
        self.world.skew = timedelta(hours=hours)

    # Runs.

    @run(
        hours=st.sampled_from([0, 0, 1, 1, 7, 30]),
        options=OPTIONS,
    )
    def sync(self, hours, options):
        self.world.xero_clock.advance(hours * HOUR_SECONDS)
        self._run(**options)

    @run()
    def sync_twice(self):
        """What a run has written needs no writing in the next."""
        if self._run():
            before = self.world.load()
            assert self._run()
            assert self.world.load() == before

    @run(options=OPTIONS)
    def preview_and_sync(self, options):
        """A dry run changes nothing and says what the run after it does."""
        options = self._resolve(options)
        before = self.world.load(DATA_TABLES | RUN_TABLES)
        try:
            preview = self.world.preview(**options)
        except InvalidRequest:
            preview = None
        assert self.world.load(DATA_TABLES | RUN_TABLES) == before
        summary = self._run(**options)
        assert (summary is None) == (preview is None or preview.suspicious is not None)
        if summary:
            assert (preview.mode, preview.users, preview.clients) == (summary.mode, summary.users, summary.clients)
            assert list(preview.changes) == self._load_readable_changes(summary.run_id)
            issues = {(each.code, each.xpm_uuid or each.field) for each in preview.issues}
            assert issues | self._list_stopped() == self._load_open_issues()

    @precondition(lambda self: self.practice.clients)
    @run(
        what=MANY,
        text=st.sampled_from([None, "", ""]),
        full=st.booleans(),
        which=WHICH,
        changes=st.lists(st.sampled_from(["restore_client", "archive_client", "again", "full"]), max_size=3),
        which_stop=st.integers(0, 3),
    )
    def stop_a_sync_and_accept_it(self, what, text, full, which, changes, which_stop):
        """Something happens to all clients, then to some; syncs are stopped for it, and one of those is accepted."""
        if what in FILLINGS:
            values = FILLINGS[what] | ({"groups": [self._find_group("Farms")]} if what == "nameless group" else {})
            people = {name: value for name, value in values.items() if name == "job_manager"}
            for uuid in self.practice.clients:
                self.practice.edit_client(uuid, **values | self._find_people(people))
            self._run(full=full)
        self._close_or_empty_all(what, text)
        self._run(full=full)
        for place, change in enumerate(changes):
            if change in ("again", "full"):
                self._run(full=change == "full")
            else:
                getattr(self.practice, change)(pick(self.practice.clients, which + place))
        self._run(which_stop=which_stop)

    @precondition(lambda self: 0 < len(self.practice.staff) < MOST_STAFF)
    @run(which=WHICH)
    def recreate_staff_and_sync(self, which):
        self.practice.recreate_staff(pick(self.practice.staff, which))
        self._run()

    @precondition(lambda self: self.practice.staff and self.practice.clients)
    @run(which=WHICH, other=WHICH, is_default=st.booleans())
    def let_somebody_leave_whom_clients_have_and_sync(self, which, other, is_default):
        """The default partner, or a job manager."""
        staff, client = pick(self.practice.staff, which), pick(self.practice.clients, other)
        partner = None if is_default else pick(self.practice.staff, which + 1)
        self.practice.edit_client(client, account_manager=partner, job_manager=staff)
        for user in self._active_users() if is_default else ():
            email = user.values["email"]
            if user.xpm_uuid == staff and self.world.administer(
                lambda session, email=email: admin_offices.set_office(session, DEFAULT_OFFICE, default_partner=email)
            ):
                self.model.offices[DEFAULT_OFFICE] = user.id
        self._run()
        self.practice.delete_staff(staff)
        self.practice.edit_client(pick(self.practice.clients, other + 1), account_manager=None)
        self._run()

    @run(trouble=TROUBLES, times=st.sampled_from([None, 1]), full=st.booleans())
    def sync_in_trouble(self, trouble, times, full):
        fault, path = trouble
        with self.world.sandbox.faults.active(fault, path=path, times=times):
            self._run(full=full, may_fail=True)

    @precondition(lambda self: 0 < len(self.practice.clients) < MOST_CLIENTS)
    @run(which=WHICH, number=st.integers(1, 4), former=st.sampled_from(FORMERS), full=st.booleans())
    def sync_while_nobody_answers_for_single_clients(self, which, number, former, full):
        """Clients are entered again; a web page with a 404 says nothing of what became of the former ones."""
        for uuid in neighbours(self.practice.clients, which, number):
            self.practice.recreate_client(uuid, former=former)
        with self.world.sandbox.faults.active("html-page", path="client.api/get", status=404):
            self._run(full=full, knows_rivals=False)

    @precondition(lambda self: 0 < len(self.practice.clients) < MOST_CLIENTS)
    @run(which=WHICH, number=st.integers(1, 4), code=CODES)
    def archive_clients_give_them_other_codes_and_sync(self, which, number, code):
        """Others may be given their codes."""
        uuids = neighbours(self.practice.clients, which, number)
        codes = [self.practice.clients[uuid].elements.get("ClientCode") for uuid in uuids]
        for uuid, freed in zip(uuids, codes, strict=True):
            self.practice.edit_client(uuid, client_code=code, is_archived=True)
            self.practice.add_client("Ngata Ltd", client_code=freed, account_manager=pick(self.practice.staff, which))
        self._run()

    @run(steps=st.integers(0, 16), full=st.booleans())
    def sync_and_be_killed(self, steps, full):
        before = self.world.load()
        try:
            self._run(full=full, step=dying_after(steps))
        except Killed:
            assert self.world.load() == before
            self.world.finish_refresh()

    @run(
        glitch=st.sampled_from(GLITCHES),
        path=st.sampled_from(LISTS),
        options=OPTIONS,
    )
    def sync_with_a_glitch_at_the_source(self, glitch, path, options):
        """Xero leaves something out; what is not beyond belief is believed."""
        name, details = glitch
        with self.world.sandbox.faults.active(name, path=path, **details):
            self._run(**options, spoil=spoiling(name, path, **details))

    # The verdict.

    def _run(self, *, may_fail=False, knows_rivals=True, spoil: Spoil = as_it_is, **options: Any):
        """One run; gives its summary, or None where it failed."""
        self.steps_since_run = 0
        options = self._resolve(options)
        number = options.get("accept")
        accepted = None if number is None else self._find_accepted(number)
        before, now = self.world.load(), self.world.now()
        past = self.world.rows("SELECT * FROM sync_runs ORDER BY id DESC")
        try:
            summary, failure = self.world.sync(**options), None
        except XpmsyncError as error:
            summary, failure = None, error
        played["runs"] += 1
        if failure:
            assert self.world.load() == before
            assert may_fail or isinstance(failure, (SuspiciousChange, InvalidRequest)), failure
        assert isinstance(failure, InvalidRequest) == (number is not None and accepted is None), failure
        if isinstance(failure, InvalidRequest):
            assert self.world.rows("SELECT * FROM sync_runs ORDER BY id DESC") == past
            return None
        (run,) = self.world.rows("SELECT * FROM sync_runs ORDER BY id DESC LIMIT 1")
        modified_since = None if self.told_until is None else self.told_until - OVERLAP_SECONDS
        ask = functools.partial(self.world.ask, self.model, spoil=spoil, knows_rivals=knows_rivals)
        answers = ask(modified_since=modified_since)
        became_full = run["mode"] == "full" and answers.is_full and modified_since is not None
        played["became full"] += became_full
        if accepted and not became_full:
            assert run["mode"] == ("full" if accepted.is_full else "incremental")
        elif not became_full:
            check_mode(run["mode"], past, now, is_wanted=bool(options.get("full")))
        if failure and not isinstance(failure, SuspiciousChange):
            return None
        if run["mode"] == "full":
            answers = ask(modified_since=None)
        assert answers.is_full == (run["mode"] == "full")
        losses = self.model.judge(answers, accepted)
        assert (losses is None) == (summary is not None), losses
        if losses is not None:
            played["stops"] += 1
            self.stops[run["id"]] = (run["mode"], losses)
            return None
        if accepted:
            played["accepted"] += 1
        self.stops = {
            number: stop for number, stop in self.stops.items() if run["mode"] == "incremental" and stop[0] == "full"
        }
        self.told_until = self.world.xero_clock.now()
        self._judge(before, answers, run["id"], accepted)
        return summary

    def _resolve(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with the number of a sync in the place of `which_stop`."""
        if "which_stop" not in options:
            return dict(options)
        warned = {number for number in self.model.not_sent.values() if number is not None}
        runs = [row["id"] for row in self.world.rows("SELECT id FROM sync_runs")]
        return {"accept": pick([*reversed(self.stops), *warned, *runs[:1], 10**6], options["which_stop"])}

    def _find_accepted(self, number: int) -> Accepted | None:
        """What a sync of this number was stopped for, or has warned of; None where nothing of it waits."""
        if number in self.stops:
            mode, losses = self.stops[number]
            return Accepted(mode == "full", losses, {kind for kind in losses if isinstance(kind, tuple)})
        elements = self.model.find_accepted_elements(number)
        return Accepted(is_full=True, elements=elements) if elements else None

    def _judge(self, before: Snapshot, answers: Answers, run_id: int, accepted: Accepted | None) -> None:
        after = self.world.load()
        self.model.hear(answers, run_id, accepted)
        self.model.derive(find_new_ids(after))
        assert describe_users(after) == {
            user.id: expect(user, USER_COLUMNS) for user in self.model.active_users.values()
        }
        assert describe_clients(after) == {
            client.id: expect(client, CLIENT_COLUMNS) | {"groups": client.groups}
            for client in self.model.active_clients.values()
        }
        groups = {row["xpm_group_uuid"]: (row["id"], row["name"]) for row in after["client_groups"].values()}
        assert groups == self.model.active_groups
        assert self._load_open_issues() == self.model.issues | self._list_stopped()
        for table in ("offices", "user_modules"):
            assert after[table] == before[table]
        check_changes(before, after, self.world.rows("SELECT * FROM changes WHERE run_id = ? ORDER BY id", run_id))
        check_keys(after)
        assert bool(self.world.rows("PRAGMA foreign_key_check")) == bool(self.model.find_dangling())

    def _list_stopped(self) -> set[tuple[str, str]]:
        """What stopped a sync is open until one of its mode succeeds, or a full one."""
        return {("suspicious-change", mode) for mode, _ in self.stops.values()}

    def _load_open_issues(self) -> set[tuple[str, str]]:
        rows = self.world.rows(
            "SELECT code, coalesce(xpm_uuid, field) AS about FROM sync_errors WHERE resolved_at IS NULL"
        )
        return {(row["code"], row["about"]) for row in rows}

    def _load_readable_changes(self, run_id: int) -> list[dict[str, object]]:
        return self.world.rows(
            "SELECT entity, name, action, field, old_value, new_value FROM change_list WHERE run_id = ? ORDER BY id",
            run_id,
        )

    def _find_group(self, name: str) -> str:
        """A group of this name, added where there is none and room for one."""
        named = [uuid for uuid, group in self.practice.groups.items() if group.name == name]
        if named or len(self.practice.groups) >= MOST_GROUPS:
            return (named or [*self.practice.groups])[0]
        return self.practice.add_group(name)

    # Whom the rules mean.

    def _active_users(self) -> dict[Record, Record]:
        return {user: user for user in self.model.active_users.values() if user.status == "active"}

    def _find_people(self, people: Mapping[str, Any]) -> dict[str, Any]:
        """The partner and manager that a rule draws, as the sandbox takes them."""
        found = {}
        for element, person in people.items():
            if isinstance(person, int) or person == "shouted":
                uuid = pick(self.practice.staff, person if isinstance(person, int) else 0)
                found[element] = (uuid.upper(), "SHOUTED") if uuid and person == "shouted" else uuid
            else:
                found[element] = STRANGERS.get(person)
        return found


def pick(choices, which):
    """One of them, or None where there is none."""
    known = [*choices]
    return known[which % len(known)] if known else None


def neighbours(choices, which, number):
    """Some of them that follow each other."""
    known = [*choices]
    return [known[(which + step) % len(known)] for step in range(min(number, len(known)))]


def link(records: Mapping[str, Record], record: Record, uuid: str) -> None:
    """Link one record, and no other one, to what XPM knows under `uuid`."""
    for each in records.values():
        if each.xpm_uuid == uuid:
            each.xpm_uuid = None
    record.xpm_uuid = uuid


def spoiling(glitch: str, path: str, keep: int = 0) -> Spoil:
    """What is told when Xero leaves something out."""
    tax = ("BusinessNumber", "BusinessStructure")

    def spoil(call: str, told: Records) -> Records:
        if call != path:
            return told
        if glitch == "no-tax-block":
            return {uuid: {name: text for name, text in each.items() if name not in tax} for uuid, each in told.items()}
        if glitch == "no-group-ids":
            return {uuid: each | drop_group_ids(each) for uuid, each in told.items()}
        return dict([*told.items()][:keep])

    return spoil


def drop_group_ids(told: Mapping[str, Any]) -> dict[str, Any]:
    return {"Groups": [{"Name": group["Name"]} for group in told["Groups"]]} if "Groups" in told else {}


USER_COLUMNS = ("first_name", "last_name", "email", "role", "office_code")
HIDDEN = {"id", "code_key", "email_key", "status", "xpm_client_uuid", "xpm_staff_uuid"}
CLIENT_COLUMNS = (*(field.column for field in CLIENT_FIELDS if field.column != "groups"), "office_code")


def expect(record: Record, columns: tuple[str, ...]) -> dict[str, Any]:
    return {column: record.values.get(column) for column in columns} | {"status": record.status, "xpm": record.xpm_uuid}


def describe_users(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    return {
        row["id"]: {column: value for column, value in row.items() if column not in HIDDEN}
        | {"status": row["status"], "xpm": row["xpm_staff_uuid"]}
        for row in snapshot["users"].values()
    }


def describe_clients(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    return {
        row["id"]: {column: value for column, value in row.items() if column not in HIDDEN}
        | {"status": row["status"], "xpm": row["xpm_client_uuid"], "groups": find_groups(snapshot, row["id"])}
        for row in snapshot["clients"].values()
    }


def find_groups(snapshot: Snapshot, client_id: str) -> set[str]:
    return {group for client, group in snapshot["client_group_members"] if client == client_id}


def find_new_ids(snapshot: Snapshot) -> dict[str, str]:
    links = {"users": "xpm_staff_uuid", "clients": "xpm_client_uuid", "client_groups": "xpm_group_uuid"}
    return {
        row[column]: row["id"] for table, column in links.items() for row in snapshot[table].values() if row[column]
    }


def check_mode(mode: str, past: list[dict[str, Any]], now: datetime, *, is_wanted: bool) -> None:
    """Everything is fetched at first, when a person wants it, and once a day, unless that failed within six hours."""
    fulls = [run for run in past if run["mode"] == "full" and run["status"] in ("succeeded", "failed")]
    ages = [now - datetime.fromisoformat(run["started_at"]) for run in fulls]
    succeeded = [age for run, age in zip(fulls, ages, strict=True) if run["status"] == "succeeded"]
    if is_wanted or not succeeded:
        assert mode == "full"
    elif fulls[0]["status"] == "failed" and timedelta() <= ages[0] < timedelta(hours=6):
        assert mode == "incremental"
    elif not timedelta() <= succeeded[0] < timedelta(hours=24):
        assert mode == "full"


def check_changes(before: Snapshot, after: Snapshot, changes: list[dict[str, Any]]) -> None:
    """The changes, replayed on what was, give what is; each creation is one row, and nothing is ever lost."""
    tables = {"user": "users", "client": "clients", "group": "client_groups"}
    keys = {"code_key": None, "email_key": None}
    state = {
        (entity, row["id"]): row | {"groups": None}
        for entity, table in tables.items()
        for row in before[table].values()
    }
    group_names = {row["id"]: row["name"] for row in after["client_groups"].values()}

    def name_groups(snapshot, client_id):
        groups = find_groups(snapshot, client_id) & group_names.keys()  # another program may have deleted some
        return "; ".join(sorted(group_names[group] for group in groups)) or None

    for row in before["clients"].values():
        state["client", row["id"]]["groups"] = name_groups(before, row["id"])
    created = set()
    for change in changes:
        record = (change["entity"], change["entity_id"])
        if change["action"] == "created":
            assert record not in state
            created.add(record)
        else:
            assert state[record][change["field"]] == change["old_value"]
            state[record][change["field"]] = change["new_value"]
    for entity, table in tables.items():
        for row in after[table].values():
            groups = name_groups(after, row["id"]) if entity == "client" else None
            if (entity, row["id"]) in created:
                created.remove((entity, row["id"]))
            else:
                assert state.pop((entity, row["id"])) | keys == row | {"groups": groups} | keys
    assert not state
    assert not created


def check_keys(snapshot: Snapshot) -> None:
    """No two records hold one code or one e-mail address, whatever the case."""
    for table, column, key in (("clients", "code", "code_key"), ("users", "email", "email_key")):
        held = [text for row in snapshot[table].values() if (text := same(row[column]))]
        assert sorted(held) == sorted(set(held))
        assert sorted(held) == sorted(row[key] for row in snapshot[table].values() if row[key])


def test_every_text_of_a_client_is_edited():
    texts = [field for field in CLIENT_FIELDS if not any("/" in element for element in field.elements)]
    assert ELEMENTS.keys() == {column for field in texts for column in field.mirror_columns}


@pytest.mark.parametrize("session", range(SESSIONS))
def test_whatever_happens_active_is_what_the_model_says_and_nothing_is_lost(session, caplog):
    caplog.set_level(logging.CRITICAL, "xpmsync")
    played.clear()
    print(f"Play it again: HISTORIES_SEED={SEED} pytest tests/histories -k '[{session}]'")  # noqa: T201 - for failures
    run_state_machine_as_test(
        seed(SEED + session)(Histories),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            report_multiple_bugs=False,
            database=None,
            # To make a failure small takes minutes: done for whoever plays it again.
            phases=(Phase.generate, Phase.shrink) if IS_PLAYED_AGAIN else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(dict(played))  # noqa: T201 - to be seen with -s
    assert played["steps"] >= LEAST_STEPS
