"""A sync: fetch, check the safety limits, derive Active, write."""
