"""Failure alerts: when one is due, who gets it, what it says, and how it is sent."""
