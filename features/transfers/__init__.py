"""The graph of transfers: who paid whom, and what of it looks like laundering."""
