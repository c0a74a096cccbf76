"""Scores and facts → classes, codes and reports, by a versioned scheme."""
