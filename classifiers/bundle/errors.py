"""What can be wrong with a bundle, named by file, expected and found."""

from __future__ import annotations

from classifiers.errors import ClassifierError


class BundleError(ClassifierError):
    """A bundle cannot be used: nothing may be classified with it.

    Attributes:
        file: path of the file that is wrong.
        expected: what should be there.
        found: what is there.
    """

    def __init__(self, file: str, *, expected: str, found: str) -> None:
        super().__init__(f"{file}: expected {expected}, found {found}")
        self.file = file
        self.expected = expected
        self.found = found
