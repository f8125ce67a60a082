"""One file for each command of ``specstream``: options, wiring and what is said to a person; no science."""
