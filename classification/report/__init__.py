"""The report of a month: who is in which class, who moved and why, and what to look at next."""
