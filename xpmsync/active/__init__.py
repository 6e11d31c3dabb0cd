"""Active's records, the mirror of XPM and the log of what happened. The only place that knows the database."""
