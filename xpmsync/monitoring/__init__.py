"""Monitoring the sync: how it is, for a terminal and for a page. Only reads; knows neither network nor keyring."""
