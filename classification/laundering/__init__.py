"""Money laundering: one grade per customer by law's and the institution's own rules, its reviews and its register."""
