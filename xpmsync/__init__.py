"""Keeps a firm's own records in step with Xero Practice Manager."""

__version__ = "0.1.0"
