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

    def __init__(self, file: str, *, expected: str, found: str, hint: str = "") -> None:
        """Say what is wrong.

        Args:
            file: path of the file.
            expected: what should be there.
            found: what is there.
            hint: what to do, where that is not plain.
        """
        super().__init__(f"{file}: expected {expected}, found {found}" + (f"; {hint}" if hint else ""))
        self.file = file
        self.expected = expected
        self.found = found
