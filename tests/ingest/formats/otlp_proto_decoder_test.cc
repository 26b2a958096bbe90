#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "core/limits.h"
#include "tests/ingest/event_text.h"
#include "tests/ingest/otlp_messages.h"

namespace tocsin {
namespace {

using protozero::pbf_writer;

constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;
const std::string kShop = OtlpPair("service.name", OtlpText("shop"));

InputConfig Of(std::string_view signal) {
  InputConfig input = InputOf("otlp-proto");
  input.signal = signal;
  return input;
}

std::string NumberPoint(double value, std::initializer_list<std::string> attributes = {}) {
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_fixed64(2, kOtlpTime - 60'000'000'000);
  writer.add_fixed64(3, kOtlpTime);
  writer.add_double(4, value);
  for (const std::string& pair : attributes) writer.add_message(7, pair);
  return bytes;
}

TEST(OtlpProtoDecoder, GaugesAndSums) {
  const std::string time = "2026-01-01T00:00:00Z metric ";
  const std::string route = OtlpPair("http.route", OtlpText("/orders"));
  const std::string request = OtlpRequest(
      {kShop, OtlpPair("k8s.pod.name", OtlpText("shop-7f")),
       OtlpPair("service.instance.id", OtlpText("a1"))},
      {OtlpMetricOf("queue.depth", "{items}", {.kind = 5},
                    {NumberPoint(4.5, {OtlpPair("type", OtlpText("request"))}), NumberPoint(-2)}),
       OtlpMetricOf("requests", "1", {.kind = 7, .temporality = 2, .monotonic = true},
                    {NumberPoint(10, {route, OtlpPair("code", OtlpInteger(200))})}),
       OtlpMetricOf("open", "", {.kind = 7, .temporality = 2}, {NumberPoint(3)}),
       OtlpMetricOf("new", "", {.kind = 7, .temporality = 1, .monotonic = true},
                    {NumberPoint(2)})});
  ExpectDecoded(Of("metrics"),
                {request,
                 // An attribute that is named like an event field is a label, whatever its value.
                 time +
                     "value=4.5 host=shop-7f name=queue.depth service=shop unit={items} "
                     "labels.instance=a1 labels.type=request\n" +
                     time +
                     "value=-2 host=shop-7f name=queue.depth service=shop unit={items} "
                     "labels.instance=a1\n" +
                     time +
                     "counter value=10 endpoint=/orders host=shop-7f name=requests service=shop "
                     "unit=1 labels.code=200 labels.http.route=/orders labels.instance=a1\n" +
                     time + "value=3 host=shop-7f name=open service=shop labels.instance=a1\n" +
                     time + "delta value=2 host=shop-7f name=new service=shop labels.instance=a1"});
}

TEST(OtlpProtoDecoder, HistogramsAndSummaries) {
  const auto histogram = [](bool exponential, double count, double sum) {
    std::string bytes;
    pbf_writer writer(bytes);
    writer.add_fixed64(3, kOtlpTime);
    writer.add_fixed64(4, static_cast<std::uint64_t>(count));
    writer.add_double(5, sum);
    writer.add_double(exponential ? 12 : 11, 1);
    writer.add_double(exponential ? 13 : 12, 9);
    if (exponential) writer.add_sint32(6, -3);
    writer.add_message(exponential ? 1 : 9, OtlpPair("zone", OtlpText("a")));
    return bytes;
  };
  std::string summary;
  pbf_writer writer(summary);
  writer.add_fixed64(3, kOtlpTime);
  writer.add_fixed64(4, 4);
  writer.add_double(5, 20);
  for (const double quantile : {0.0, 0.99, 1.0}) {
    std::string bytes;
    pbf_writer inner(bytes);
    if (quantile > 0) inner.add_double(1, quantile);
    inner.add_double(2, 10 * quantile + 1);
    writer.add_message(6, bytes);
  }
  const std::string time = "2026-01-01T00:00:00Z metric ";
  ExpectDecoded(
      Of("metrics"),
      {OtlpRequest(
           {}, {OtlpMetricOf("a", "ms", {.kind = 9, .temporality = 1}, {histogram(false, 4, 20)}),
                OtlpMetricOf("b", "ms", {.kind = 10, .temporality = 1}, {histogram(true, 4, 20)}),
                OtlpMetricOf("c", "", {.kind = 9, .temporality = 2}, {histogram(false, 4, 20)}),
                OtlpMetricOf("d", "", {.kind = 11}, {summary})}),
       time + "histogram value=5 count=4 sum=20 min=1 max=9 name=a unit=ms labels.zone=a\n" + time +
           "histogram value=5 count=4 sum=20 min=1 max=9 name=b unit=ms labels.zone=a\n" +
           // Since the start of the process, a mean would say next to nothing.
           time + "histogram count=4 sum=20 min=1 max=9 name=c labels.zone=a\n" + time +
           "counter value=4 name=c_count labels.zone=a\n" + time +
           "counter value=20 name=c_sum labels.zone=a\n" + time +
           "summary count=4 sum=20 min=1 max=11 name=d\n" + time +
           "value=1 name=d labels.quantile=0\n" + time +
           "value=10.9 name=d labels.quantile=0.99\n" + time +
           "value=11 name=d labels.quantile=1\n" + time + "counter value=4 name=d_count\n" + time +
           "counter value=20 name=d_sum"});
}

TEST(OtlpProtoDecoder, PointsThatSayNothing) {
  std::string absent = NumberPoint(1);
  pbf_writer(absent).add_uint32(8, 1);
  std::string no_number;
  pbf_writer(no_number).add_fixed64(3, kOtlpTime);
  std::string no_time;
  pbf_writer(no_time).add_sfixed64(6, -7);
  const std::string many_labels = [] {
    std::string bytes = NumberPoint(1);
    for (int i = 0; i < 65; ++i) {
      pbf_writer(bytes).add_message(7, OtlpPair("l" + std::to_string(i), OtlpText("x")));
    }
    return bytes;
  }();
  const auto decoded = [](const std::string& point) {
    return DecodedText(Of("metrics"),
                       OtlpRequest({}, {OtlpMetricOf("a", "", {.kind = 5}, {point})}), kRecordTime);
  };
  EXPECT_EQ(decoded(absent), "skipped: a point without a recorded value");
  EXPECT_EQ(decoded(no_number), "undecodable: a point without a number");
  EXPECT_EQ(decoded(no_time), "2019-12-20T00:00:00Z metric value=-7 name=a");
  EXPECT_EQ(decoded(NumberPoint(std::numeric_limits<double>::quiet_NaN())),
            "undecodable: a number out of range");
  EXPECT_EQ(decoded(NumberPoint(1e30)), "undecodable: a number out of range");
  EXPECT_EQ(decoded(NumberPoint(1, {OtlpPair("zone", OtlpText("\xff"))})),
            "undecodable: not valid UTF-8");
  EXPECT_EQ(decoded(NumberPoint(1, {OtlpPair("zone", OtlpText(std::string(2'000, 'x')))})),
            "undecodable: a label of more than 1 KiB");
  EXPECT_EQ(decoded(many_labels), "undecodable: more than 64 labels");
}

TEST(OtlpProtoDecoder, Logs) {
  std::string log;
  pbf_writer writer(log);
  writer.add_fixed64(1, kOtlpTime);
  writer.add_fixed64(11, kOtlpTime + 1'000'000'000);
  writer.add_enum(2, 17);
  writer.add_string(3, "SEVERE");
  writer.add_string(12, "db.lost");
  writer.add_message(5, OtlpText("connection refused"));
  writer.add_message(6, OtlpPair("exception.type", OtlpText("IOError")));
  writer.add_bytes(
      9, std::string("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xff", 16));
  std::string request_log;
  pbf_writer second(request_log);
  second.add_fixed64(11, kOtlpTime);
  second.add_string(3, "WARN");
  second.add_message(5, OtlpMap({OtlpPair("message", OtlpText("done")),
                                 OtlpPair("http.request.method", OtlpText("GET")),
                                 OtlpPair("http.response.status_code", OtlpInteger(503))}));
  ExpectDecoded(
      Of("logs"),
      {OtlpRequest({kShop}, {log, request_log}),
       "2026-01-01T00:00:00Z log exception=IOError level=error message=connection refused "
       "name=db.lost service=shop trace_id=000102030405060708090a0b0c0d0eff\n"
       "2026-01-01T00:00:00Z request 503 level=warn message=done method=GET "
       "service=shop"});
}

TEST(OtlpProtoDecoder, MapsPathsAndConstants) {
  InputConfig input = Of("metrics");
  input.map = {{"dependency", "db.pool", "", {}},
               {"labels.team", "", "web", {}},
               {"labels.table", "aws.table.name", "", {}}};
  const std::string table =
      OtlpPair("aws", OtlpMap({OtlpPair("table", OtlpMap({OtlpPair("name", OtlpText("t1"))}))}));
  ExpectDecoded(input,
                {OtlpRequest({OtlpPair("db.pool", OtlpText("orders"))},
                             {OtlpMetricOf("a", "", {.kind = 5}, {NumberPoint(1, {table})})}),
                 "2026-01-01T00:00:00Z metric value=1 dependency=orders name=a "
                 "labels.aws.table.name=t1 labels.table=t1 labels.team=web"});
}

// Names that stand as they stood before are not looked up again, nor compared with each other.
TEST(OtlpProtoDecoder, OneLabelOfAName) {
  const auto of = [](std::initializer_list<std::string> names) {
    std::string point = NumberPoint(1);
    int value = 0;
    for (const std::string& name : names) {
      pbf_writer(point).add_message(7, OtlpPair(name, OtlpText(std::to_string(value++))));
    }
    return point;
  };
  std::string expected;
  for (const std::string labels :
       {"labels.a=0 labels.b=1", "labels.b=1 labels.x=0", "labels.b=0", "labels.b=0", "labels.b=0",
        "labels.instance=0 labels.service.instance.id=0",
        "labels.instance=0 labels.service.instance.id=0"}) {
    if (!expected.empty()) expected += '\n';
    expected += "2026-01-01T00:00:00Z metric value=1 name=m " + labels;
  }
  const std::string request =
      OtlpRequest({}, {OtlpMetricOf("m", "", {.kind = 5},
                                    {of({"a", "b"}), of({"x", "b"}), of({"b", "b"}), of({"b", "b"}),
                                     of({"b", "b"}), of({"service.instance.id", "instance"}),
                                     of({"service.instance.id", "instance"})})});
  ExpectDecoded(Of("metrics"), {request, expected});
}

TEST(OtlpProtoDecoder, WhatIsNoRequest) {
  const std::string good =
      OtlpRequest({kShop}, {OtlpMetricOf("a", "", {.kind = 5}, {NumberPoint(1)})});
  const std::string event = "2026-01-01T00:00:00Z metric value=1 name=a service=shop";
  ExpectDecoded(Of("metrics"), {"", ""});
  ExpectDecoded(Of("metrics"), {good + "\x0a\x7f", event + "\nundecodable: not a valid protobuf "
                                                           "message"});
  ExpectDecoded(Of("metrics"), {"{\"resourceMetrics\": []}",
                                "undecodable: not a valid protobuf "
                                "message"});
  ExpectDecoded(Of("metrics"), {std::string(limits::kPayloadBytesMax + 1, '\n'),
                                "undecodable: larger than 8 MiB"});
  // However deep, a map costs no stack.
  std::string deep = OtlpText("x");
  for (int i = 0; i < 1'000; ++i) deep = OtlpMap({OtlpPair("m", deep)});
  ExpectDecoded(Of("metrics"),
                {OtlpRequest({}, {OtlpMetricOf("a", "", {.kind = 5},
                                               {NumberPoint(1, {OtlpPair("m", deep)})})}),
                 "undecodable: deeper than 32 levels"});
  // Cut anywhere, it decodes to one event or one fault.
  for (std::size_t size = 1; size < good.size(); ++size) {
    const RecordingSink sink = DecodeRecord(Of("metrics"), std::string_view(good).substr(0, size));
    EXPECT_EQ(sink.events.size() + sink.undecodable.size(), 1U) << size;
  }
}

// Where the last field of a message, and of the record, is a boolean that lacks its byte.
TEST(OtlpProtoDecoder, ATruthWithoutItsByte) {
  const std::string body("\x2a\x01\x10", 3);  // of a log: an AnyValue that is only a tag
  const std::string data("\x3a\x01\x18", 3);  // of a metric: a sum that is only a tag
  ExpectDecoded(Of("logs"), {OtlpRequest({}, {body}), "undecodable: not a valid protobuf message"});
  ExpectDecoded(Of("metrics"),
                {OtlpRequest({}, {data}), "undecodable: not a valid protobuf message"});
  // Nothing stands behind it here.
  const std::string end = std::string("\x0a\x07\x12\x05\x12\x03", 6);
  ExpectDecoded(Of("logs"), {end + body, "undecodable: not a valid protobuf message"});
  ExpectDecoded(Of("metrics"), {end + data, "undecodable: not a valid protobuf message"});
}

TEST(OtlpProtoDecoder, NeedsASignal) {
  ErrorList errors;
  EXPECT_EQ(NewDecoder(InputOf("otlp-proto"), &errors), nullptr);
  InputConfig other = InputOf("clf");
  other.signal = "logs";
  EXPECT_EQ(NewDecoder(other, &errors), nullptr);
  ASSERT_EQ(errors.Sorted().size(), 2U);
  EXPECT_NE(errors.Sorted()[0].message.find("needs signal: expected logs or metrics"),
            std::string::npos);
  EXPECT_NE(errors.Sorted()[1].message.find("signal is for format otlp-proto"), std::string::npos);
}

}  // namespace
}  // namespace tocsin
