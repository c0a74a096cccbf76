"""How the files of a company are written, and read: one module a format, behind `features.tables.readers`."""
