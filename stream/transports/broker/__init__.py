"""The Kafka transport: the only part of ``stream`` that imports ``confluent_kafka``.

``transport`` consumes and commits, ``reader`` reads outside any group, ``publisher`` publishes with its own progress,
``topics`` creates topics. ``ownership`` is the pure part: who may commit what.
"""

from stream.transports.broker.publisher import BrokerPublisher
from stream.transports.broker.reader import BrokerReader
from stream.transports.broker.topics import TopicReport, TopicSpec, create_topics
from stream.transports.broker.transport import BrokerTransport

__all__ = ["BrokerPublisher", "BrokerReader", "BrokerTransport", "TopicReport", "TopicSpec", "create_topics"]
