"""The base of every error that ``classifiers`` raises."""

from __future__ import annotations


class ClassifierError(Exception):
    """Something that ``classifiers`` was given cannot be used; the message says what was expected and what came."""
