"""Xero: the sign-in, the way the API is called, and the XML it answers. The only place that speaks to Xero."""
