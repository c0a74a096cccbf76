"""Arrears: which invoices will be paid late, by how much, and what that says of a customer's credit."""
