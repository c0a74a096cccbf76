"""The role that may see laundering records: who has its key. Nobody else can tell who is of which grade."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from features.errors import InputError
from features.tables.privacy import key_file, load_key

KEY_VARIABLE = "CUSTOMER_SCORING_AML_KEY"
KEY_FILE = "aml.key"


def is_here() -> bool:
    """Whether this installation has the key of the role."""
    return KEY_VARIABLE in os.environ or key_file(KEY_FILE).exists()


def load_aml_key(records: Path) -> bytes:
    """The key of the role, 32 bytes: from the environment, else from its file, which is made on first use.

    records: the folder of the laundering records. Raises InputError where there are some and no key, and for a key
    that is too short.
    """
    file = key_file(KEY_FILE)
    if not is_here() and records.exists():
        raise InputError(
            file,
            "no key, and laundering records that are sealed with one",
            f"the key of the role aml, in this file or in {KEY_VARIABLE}",
            "Ask the compliance officer; without the key nobody reads them, and nobody can make it again.",
        )
    key = load_key(KEY_VARIABLE, file, "Restore the key from your backup; a new one opens no record.")
    return hashlib.sha256(b"customer-scoring: laundering\0" + key).digest()
