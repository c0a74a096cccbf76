"""Whose transfers look like those of accounts that were reported: a ranking of all accounts."""
