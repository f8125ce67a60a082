"""What every runtime on a device shares: batches cut to buckets, slots in turn, buffers, preparation, failures."""
