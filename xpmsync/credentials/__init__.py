"""The secrets, and the only place that knows keyring."""
