"""Raw tables → the event, customer and item tables."""
