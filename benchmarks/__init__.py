"""What the features cost: a generated company, the same features by other tools, and a stopwatch."""
