"""Feature rows → fitted, evaluated, registered releases."""
