"""What a person can mend: where it is, what was found, what was wanted, what to do."""

from __future__ import annotations

from pathlib import Path


class InputError(Exception):
    """Bad input of a user. The command line prints it without a traceback and ends with exit code 2.

    place: a file, with the path in it; found: what stands there; wanted: what may stand there; cure: what to do.
    """

    def __init__(self, place: str | Path, found: str, wanted: str = "", cure: str = "") -> None:
        self.place = str(place)
        self.found = found
        self.wanted = wanted
        self.cure = cure
        super().__init__(self.letter())

    def letter(self) -> str:
        """The message as a few short lines."""
        finding = f"found {self.found}" + (f"; wanted {self.wanted}" if self.wanted else "") + "."
        return "\n".join([self.place, f"  {finding}", *([f"  {self.cure}"] if self.cure else [])])


class NoRowsError(InputError):
    """A file without a single row."""

    def __init__(self, place: str | Path) -> None:
        super().__init__(place, "no rows", "at least one", "Export the table again.")
