#include <gtest/gtest.h>

#include <string>
#include <utility>

#include <protozero/varint.hpp>

#include "tests/ingest/event_text.h"
#include "tests/ingest/otlp_messages.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("cloudwatch-metric-stream");
constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

std::string Metric(const std::string& name, const std::string& dimensions, const std::string& value,
                   const std::string& unit = "Count") {
  return R"({"metric_stream_name": "all", "account_id": "1234567890", "region": "us-east-1",)"
         R"("namespace": "AWS/RDS", "metric_name": ")" +
         name + R"(", "dimensions": {)" + dimensions +
         R"(}, "timestamp": 1767225600000, "value": {)" + value + R"(}, "unit": ")" + unit +
         R"("})";
}

TEST(CloudWatchMetricStreamDecoder, OneMetricALine) {
  const std::string labels = " labels.account=1234567890 labels.namespace=AWS/RDS";
  const std::string connections =
      Metric("DatabaseConnections", R"("DBInstanceIdentifier": "orders-db")",
             R"("count": 4, "sum": 40.0, "min": 8, "max": 12, "p99": 12)");
  const std::string lag =
      Metric("AuroraReplicaLag", R"("DBInstanceIdentifier": "replica-1")",
             R"("count": 2, "sum": 50000, "min": 10000, "max": 40000)", "Milliseconds");
  ExpectDecoded(kInput,
                {connections + "\n" + lag + "\n",
                 "2026-01-01T00:00:00Z metric summary value=10 count=4 sum=40 min=8 max=12 "
                 "dependency=orders-db name=DatabaseConnections region=us-east-1 unit=Count "
                 "labels.DBInstanceIdentifier=orders-db" +
                     labels +
                     "\n"
                     "2026-01-01T00:00:00Z metric summary value=25 count=2 sum=50 min=10 max=40 "
                     "dependency=replica-1 name=replication_lag region=us-east-1 unit=Seconds "
                     "labels.DBInstanceIdentifier=replica-1" +
                     labels});
  ExpectDecoded(kInput, {Metric("HealthyHostCount",
                                R"("TargetGroup": "targetgroup/web/0123456789abcdef",)"
                                R"("LoadBalancer": "app/main/0123456789abcdef")",
                                R"("count": 1, "sum": 0, "min": 0, "max": 0)"),
                         "2026-01-01T00:00:00Z metric summary value=0 count=1 sum=0 min=0 max=0 "
                         "name=HealthyHostCount region=us-east-1 service=web unit=Count "
                         "labels.LoadBalancer=app/main/0123456789abcdef "
                         "labels.TargetGroup=targetgroup/web/0123456789abcdef" +
                             labels});
}

TEST(CloudWatchMetricStreamDecoder, WhatIsNoMetric) {
  const RecordCase cases[] = {
      {R"({"metric_name": "a", "value": {"count": 1, "sum": 2}})",
       "2019-12-20T00:00:00Z metric summary value=2 count=1 sum=2 name=a"},
      {R"({"metric_name": "a", "value": {"count": 0, "sum": 0}})",
       "skipped: a metric without samples"},
      {R"({"metric_name": "a", "value": {"count": 1e-300, "sum": 1e10}})",
       "undecodable: a mean that is out of range"},
      {R"({"metric_name": "a", "value": {"count": 1e18, "sum": 1e19}})",
       "undecodable: sum is not a number in range"},
      {R"({"metric_name": "a", "value": {"count": "1", "sum": 2}})",
       "undecodable: count is not a number in range"},
      {R"({"metric_name": "a", "value": {}})", "undecodable: a value without count and sum"},
      {R"({"metric_name": "a", "value": 1})", "undecodable: value is not an object"},
      {R"({"value": {"count": 1, "sum": 2}})", "undecodable: a metric without a name"},
      {R"({"metric_name": "a", "value": {"count": 1, "sum": 2}, "dimensions": {"b": 1}})",
       "undecodable: a label that is not a string"},
      {R"({"metric_name": "a", "value": {"count": 1, "sum": 2}, "timestamp": -1})",
       "undecodable: timestamp is neither an RFC 3339 time nor an epoch number"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

TEST(CloudWatchMetricStreamDecoder, ABadLineLeavesItsNeighboursAlone) {
  const std::string good = R"({"metric_name": "a", "value": {"count": 1, "sum": 2}})";
  const std::string text = "2019-12-20T00:00:00Z metric summary value=2 count=1 sum=2 name=a\n";
  ExpectDecoded(kInput,
                {good + "\n{\"metric_name\": \"a\n" + good,
                 text + text + "undecodable: cut short inside a string"},
                kRecordTime);
}

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-metric-streams-formats-opentelemetry-100.html
TEST(CloudWatchMetricStreamDecoder, OpenTelemetry) {
  const auto request = [](const std::string& dependency) {
    std::string point;
    protozero::pbf_writer writer(point);
    writer.add_fixed64(3, kOtlpTime);
    writer.add_fixed64(4, 4);
    writer.add_double(5, 40);
    for (const auto& [quantile, value] : {std::pair(0.0, 8.0), std::pair(1.0, 12.0)}) {
      std::string bytes;
      protozero::pbf_writer inner(bytes);
      inner.add_double(1, quantile);
      inner.add_double(2, value);
      writer.add_message(6, bytes);
    }
    writer.add_message(7, OtlpPair("Namespace", OtlpText("AWS/RDS")));
    writer.add_message(7, OtlpPair("MetricName", OtlpText("DatabaseConnections")));
    writer.add_message(
        7,
        OtlpPair("Dimensions", OtlpMap({OtlpPair("DBInstanceIdentifier", OtlpText(dependency))})));
    return OtlpRequest({OtlpPair("cloud.account.id", OtlpText("1234567890")),
                        OtlpPair("cloud.region", OtlpText("us-east-1"))},
                       {OtlpMetricOf("amazonaws.com/AWS/RDS/DatabaseConnections", "{Count}",
                                     {.kind = 11}, {point})});
  };
  const auto expected = [](const std::string& dependency) {
    return "2026-01-01T00:00:00Z metric summary value=10 count=4 sum=40 min=8 max=12 dependency=" +
           dependency +
           " name=DatabaseConnections region=us-east-1 unit={Count} labels.DBInstanceIdentifier=" +
           dependency + " labels.account=1234567890 labels.namespace=AWS/RDS";
  };
  const auto delimited = [](const std::string& message) {
    std::string bytes;
    protozero::add_varint_to_buffer(&bytes, message.size());
    return bytes + message;
  };
  // Of every length, as a length may look like a bracket or a blank.
  for (std::size_t more = 0; more < 130; ++more) {
    const std::string name(1 + more, 'd');
    ExpectDecoded(kInput, {delimited(request(name)) + delimited(request("orders-db")),
                           expected(name) + "\n" + expected("orders-db")});
  }
  const std::string small = OtlpRequest({}, {OtlpMetricOf("a", "", {.kind = 11}, {})});
  for (std::size_t size = small.size(); size < 130; ++size) {
    std::string padded = OtlpRequest(
        {}, {OtlpMetricOf("a", std::string(size - small.size(), 'u'), {.kind = 11}, {})});
    if (padded.size() > 127) break;
    ExpectDecoded(kInput, {delimited(padded), ""});
  }
  ExpectDecoded(kInput, {"\x7f\x0a", "undecodable: not a valid protobuf message"});
}

}  // namespace
}  // namespace tocsin
