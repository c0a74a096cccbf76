"""The hand-off: classes and plays of a graded month, as files that another system imports."""
