"""Raw tables → events → feature rows."""
