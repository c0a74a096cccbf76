"""Raw tables → events → feature rows."""

from features.compiled import keep_apart

keep_apart()
