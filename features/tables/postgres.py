"""stub"""


def dump_table(database, path, limit=None):
    raise NotImplementedError
