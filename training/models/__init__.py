"""The models of customers who have bought: of silence, of amounts and of events, and the simpler rungs below them."""
