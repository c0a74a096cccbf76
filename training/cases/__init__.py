"""Models of cases: a table with a row per case and a known outcome, without events."""
