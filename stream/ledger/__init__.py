"""The ledger: in = out + dead, accounted per commit and partition, and proved from the topics themselves."""
