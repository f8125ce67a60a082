"""The measurements of README's table, each beside its reference in the same run on the same machine."""
