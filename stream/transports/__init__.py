"""Transports: ``poll`` messages and ``commit`` outputs with offsets atomically, on Apache Kafka and on folders."""
