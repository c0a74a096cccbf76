"""The online store: the last graded state of every customer, and the events that came since."""

from serving.store.sqlite import Store, overrides_by_id, publish, revise, store_path

__all__ = ["Store", "overrides_by_id", "publish", "revise", "store_path"]
