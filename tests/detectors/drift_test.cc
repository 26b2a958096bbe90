#include "detectors/statistics/drift.h"

#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

TEST(NamesDrift, WhatFillsUpOrRunsOut) {
  for (const char* name :
       {"disk_utilization", "node_filesystem_avail_bytes", "memory_utilization",
        "MemoryUtilization", "container_memory_working_set_bytes", "FreeStorageSpace",
        "FreeableMemory", "mem_used_percent", "probe_ssl_earliest_cert_expiry",
        "certificate-expires-soon", "DBInstanceFSUsage", "inodes_free", "tls"}) {
    EXPECT_TRUE(NamesDrift(name)) << name;
  }
}

TEST(NamesDrift, WhatMayChangeFromOneSecondToTheNext) {
  for (const char* name :
       {"", "db_connections", "cpu_utilization", "CPUUtilization", "healthy_targets",
        "replication_lag", "DiskQueueDepth", "disk_io_time", "DiskReadOps", "memory_pressure",
        "tls_handshake_failures", "/health", "discovery", "members", "MEMBERS", "websockets"}) {
    EXPECT_FALSE(NamesDrift(name)) << name;
  }
}

bool Drifts(const std::string& yaml, const Labels& series = {}) {
  return Harness(yaml).detector().Drifts(series);
}

TEST(Drift, IsDecidedByKindAndNameUnlessTheStanzaSays) {
  EXPECT_TRUE(Drifts("{name: a, kind: leak, warn: {}}"));
  EXPECT_TRUE(Drifts("{name: a, kind: exhaustion, where: {name: lag}, warn: {}}"));
  EXPECT_TRUE(Drifts("{name: a, kind: saturation, where: {name: disk_utilization}, warn: {}}"));
  EXPECT_TRUE(Drifts("{name: a, kind: saturation, where: {name: {prefix: disk_}}, warn: {}}"));
  EXPECT_FALSE(Drifts("{name: disk, kind: saturation, where: {name: db_connections}, warn: {}}"));
  // Where no name is asked for, the stanza's own tells.
  EXPECT_TRUE(Drifts("{name: disk, kind: saturation, where: {labels.a: b}, warn: {}}"));
  EXPECT_FALSE(Drifts("{name: pool, kind: saturation, where: {labels.a: b}, warn: {}}"));
  // Of alarms about everything, the series' name.
  const std::string alarms = "{name: alarms, kind: state, by: [service, name], warn: {}}";
  EXPECT_TRUE(Drifts(alarms, {{"env", "prod"}, {"name", "cert-expiry"}}));
  EXPECT_FALSE(Drifts(alarms, {{"env", "prod"}, {"name", "circuit_breaker"}}));
  // A log line comes at a moment.
  EXPECT_FALSE(Drifts("{name: disk, kind: saturation, pattern: 'disk full', warn: {}}"));
  EXPECT_FALSE(Drifts("{name: disk, kind: burst, pattern: 'disk full', warn: {}}"));
  EXPECT_FALSE(Drifts("{name: memory, kind: error_rate, warn: {above: 5%}}"));

  EXPECT_FALSE(
      Drifts("{name: a, kind: saturation, where: {name: disk_used}, drifts: false, warn: {}}"));
  EXPECT_TRUE(
      Drifts("{name: a, kind: saturation, where: {name: licences}, drifts: true, warn: {}}"));
}

}  // namespace
}  // namespace tocsin
