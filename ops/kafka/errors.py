"""What can go wrong before a broker runs; each message says in one line what to do."""

from __future__ import annotations


class BrokerError(Exception):
    """Base of the launcher's errors."""


class ToolMissing(BrokerError):
    """Java or Maven is not installed, or too old."""


class BrokerFailed(BrokerError):
    """The broker, its formatting or the download of its jars ended with an error."""
