"""The Admin Centre: what the administrator decides in Active, each change in one transaction with its history.

Offices; users and what they may do, and two of them who are one person; clients set up by hand; and links, which settle
what a sync cannot tell.
Refuses what could not stay: a code or an address that somebody holds, a value that the next sync would undo. What the
next sync will do is foretold by its own rules, from what XPM said last. Knows no terminal and no network.
"""
