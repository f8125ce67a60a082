"""A real Apache Kafka for tests, benches and users: jars by Maven, settings, launcher; no container engine needed."""
