"""A first source file, inferred from the tables themselves."""
