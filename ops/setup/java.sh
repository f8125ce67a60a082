#!/bin/sh
# Makes sure that Java 17 or later and Maven are there, which start the real Kafka.
set -eu
java_ok() { command -v java >/dev/null 2>&1 && [ "$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -1)" -ge 17 ] 2>/dev/null; }
if java_ok && command -v mvn >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    printf '%s\n' "specstream: installing Java 17 and Maven through apt (for the real Kafka)" >&2
    apt-get update -qq
    apt-get install -y -qq openjdk-17-jre-headless maven >/dev/null 2>&1 || apt-get install -y -qq default-jre-headless maven >/dev/null
    java_ok && command -v mvn >/dev/null 2>&1 && exit 0
fi
printf '%s\n' "specstream: Java 17 or later and Maven are needed to start a real Kafka; install them: apt-get install openjdk-17-jre-headless maven" >&2
exit 2
