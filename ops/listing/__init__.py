"""Lists of records as a person or a script wants them: table, JSON lines, CSV, ECSV."""

from ops.listing.writers import FORMATS, open_writer

__all__ = ["FORMATS", "open_writer"]
