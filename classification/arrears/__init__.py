"""Arrears prevention: what is open, what of it is likely to stay so, and whom to talk to. Advice, never a refusal."""
