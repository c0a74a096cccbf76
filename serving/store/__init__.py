"""The online store: the last graded state of every customer, and the events that came since."""
