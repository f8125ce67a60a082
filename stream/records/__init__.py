"""Records that leave the stream: L2 records and dead letters, built from what was decoded and classified; no I/O."""
