// The limits of repetition within a payload: normal payloads are decoded completely; of hostile
// ones each item beyond the budget is undecodable.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include <snappy.h>
#include <protozero/pbf_writer.hpp>

#include "absl/strings/escaping.h"
#include "core/limits.h"
#include "ingest/compression/unpack.h"
#include "ingest/json/payload_budget.h"
#include "tests/ingest/event_text.h"
#include "tests/ingest/otlp_messages.h"
#include "tests/ingest/packed_text.h"

namespace tocsin {
namespace {

using protozero::pbf_writer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

InputConfig Otlp(std::string_view signal) {
  InputConfig input = InputOf("otlp-proto");
  input.signal = signal;
  return input;
}

// How many of each, without their texts.
struct CountingSink final : EventSink {
  void OnEvent(const Event& event) override {
    ++events;
    texts += TextBytesOf(event);
  }
  void OnUndecodable(std::string_view, std::string_view reason) override {
    ++undecodable;
    last_reason = reason;
  }
  std::size_t events = 0, undecodable = 0, texts = 0;
  std::string last_reason;
};

CountingSink Count(const InputConfig& input, std::string_view record) {
  CountingSink sink;
  DecoderFor(input)->Decode(record, kSecondUs, &sink);
  return sink;
}

std::string Repeat(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

// An export request of a resource and logs or metrics, field 2 of their scope.
std::string Request(const std::vector<std::string>& attributes,
                    const std::vector<std::string>& items) {
  std::string resource, scope, list, request;
  for (const std::string& pair : attributes) pbf_writer(resource).add_message(1, pair);
  for (const std::string& item : items) pbf_writer(scope).add_message(2, item);
  pbf_writer writer(list);
  writer.add_message(1, resource);
  writer.add_message(2, scope);
  pbf_writer(request).add_message(1, list);
  return request;
}

std::string LogOf(const std::string& pair) {
  std::string log;
  pbf_writer writer(log);
  writer.add_fixed64(1, kOtlpTime);
  writer.add_message(6, pair);
  return log;
}

// A kvlist of so many pairs, each two bytes without a key or a value.
std::string EmptyPairs(std::size_t count) {
  std::string value;
  pbf_writer(value).add_message(6, Repeat(std::string_view("\x0A\x00", 2), count));
  return value;
}

TEST(PayloadBudget, AKeyOfManyNamesCostsALogAndNotItsNeighbours) {
  const std::string good = LogOf(OtlpPair("code.function", OtlpText("find")));
  const std::string bomb = LogOf(OtlpPair(std::string(150'000, 'A'), EmptyPairs(75'000)));
  const RecordingSink sink = DecodeRecord(Otlp("logs"), Request({}, {good, bomb, good}));
  EXPECT_THAT(sink.events, SizeIs(2));
  EXPECT_THAT(sink.reasons, ElementsAre(budget_fault::kName));

  // As a resource's it is all of its records'.
  const RecordingSink of_resource = DecodeRecord(
      Otlp("logs"), Request({OtlpPair(std::string(2'000, 'A'), EmptyPairs(3))}, {good, good}));
  EXPECT_THAT(of_resource.events, IsEmpty());
  EXPECT_THAT(of_resource.reasons, ElementsAre(budget_fault::kName, budget_fault::kName));

  const std::string json =
      R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1"},{"timeUnixNano":"1",)"
      R"("attributes":[{"key":")" +
      std::string(2'000, 'A') + R"(","value":{"kvlistValue":{"values":[{}]}}}]}]}]}]})";
  const RecordingSink of_json = DecodeRecord(InputOf("otlp-json"), json, kSecondUs);
  EXPECT_THAT(of_json.events, SizeIs(1));
  EXPECT_THAT(of_json.reasons, ElementsAre(budget_fault::kName));
}

TEST(PayloadBudget, JoinedNamesAreBoundedByThePayload) {
  const std::string bomb = LogOf(OtlpPair(std::string(1'000, 'A'), EmptyPairs(75'000)));
  const RecordingSink sink = DecodeRecord(Otlp("logs"), Request({}, {bomb}));
  EXPECT_THAT(sink.events, IsEmpty());
  EXPECT_THAT(sink.reasons, ElementsAre(budget_fault::kNames));
}

// A document of the maximum depth with tiny leaves.
TEST(PayloadBudget, HonestMapsAreReadWhole) {
  std::string leaves;
  for (int i = 0; i < 40; ++i) {
    pbf_writer(leaves).add_message(1, OtlpPair("ready_" + std::to_string(i), OtlpInteger(1)));
  }
  std::string value;
  pbf_writer(value).add_message(6, leaves);
  for (const std::string_view key : {"conditions", "status", "template", "spec", "metadata"}) {
    value = OtlpMap({OtlpPair(key, value)});
  }
  const std::vector<std::string> logs(500, LogOf(OtlpPair("kubernetes_object", value)));
  EXPECT_EQ(Count(Otlp("logs"), Request({}, logs)).events, logs.size());
}

TEST(PayloadBudget, TenThousandLogsOfAResource) {
  std::vector<std::string> resource = {
      OtlpPair("service.name", OtlpText("shop")), OtlpPair("host.name", OtlpText("web-1")),
      OtlpPair("cloud.region", OtlpText("eu-west-1")), OtlpPair("service.version", OtlpText("1"))};
  while (resource.size() < 40) {
    resource.push_back(
        OtlpPair("k8s.label." + std::to_string(resource.size()), OtlpText(std::string(60, 'x'))));
  }
  const std::vector<std::string> logs(10'000, LogOf(OtlpPair("exception.type", OtlpText("E"))));
  const std::string request = Request(resource, logs);
  EXPECT_EQ(Count(Otlp("logs"), request).events, logs.size());
  const RecordingSink one = DecodeRecord(Otlp("logs"), Request(resource, {logs[0]}));
  ASSERT_THAT(one.events, SizeIs(1));
  EXPECT_EQ(EventText(one.events[0]),
            "2026-01-01T00:00:00Z log exception=E host=web-1 region=eu-west-1 service=shop "
            "version=1");
}

TEST(PayloadBudget, ALongResourceIsNotRepeatedWithoutEnd) {
  const std::vector<std::string> resource = {
      OtlpPair("service.name", OtlpText(std::string(100'000, 's')))};
  const std::vector<std::string> logs(20'000);  // two bytes each
  const CountingSink sink = Count(Otlp("logs"), Request(resource, logs));
  EXPECT_GT(sink.events, 50U);
  EXPECT_LT(sink.events, 100U);
  EXPECT_EQ(sink.events + sink.undecodable, logs.size());
  EXPECT_EQ(sink.last_reason, budget_fault::kResources);
}

std::string Summary(const std::vector<std::string>& attributes, std::size_t quantiles) {
  std::string point;
  pbf_writer writer(point);
  writer.add_fixed64(3, kOtlpTime);
  writer.add_fixed64(4, 4);
  writer.add_double(5, 20);
  for (std::size_t i = 0; i < quantiles; ++i) writer.add_message(6, std::string());
  for (const std::string& pair : attributes) writer.add_message(7, pair);
  return Request({}, {OtlpMetricOf("latency", "ms", {.kind = 11}, {point})});
}

TEST(PayloadBudget, QuantilesOfManyAttributes) {
  std::vector<std::string> attributes;
  for (int i = 0; i < 60; ++i) {
    attributes.push_back(OtlpPair("label." + std::to_string(i), OtlpText(std::string(40, 'v'))));
  }
  EXPECT_EQ(Count(Otlp("metrics"), Summary(attributes, 100)).events, 103U);

  attributes.clear();
  for (int i = 0; i < 60; ++i) {
    attributes.push_back(OtlpPair("label." + std::to_string(i), OtlpText(std::string(1'000, 'v'))));
  }
  const std::string summary = Summary(attributes, 30'000);
  const CountingSink sink = Count(Otlp("metrics"), summary);
  EXPECT_GT(sink.events, 100U);
  EXPECT_EQ(sink.events + sink.undecodable, 30'003U);
  EXPECT_EQ(sink.last_reason, budget_fault::kSeries);
  EXPECT_LT(sink.texts, (limits::kSeriesFactor + 2) * summary.size());
}

// A fault of a point is reported once, however many events the point would become.
TEST(PayloadBudget, AFaultyPointIsOneUndecodable) {
  const std::string summary = Summary({OtlpPair("zone", OtlpText(std::string(2'000, 'z')))}, 9);
  EXPECT_EQ(DecodedText(Otlp("metrics"), summary), "undecodable: a label of more than 1 KiB");
}

std::string RemoteWrite(std::size_t series, std::size_t labels, std::size_t samples,
                        std::size_t value_bytes) {
  std::string request, compressed;
  for (std::size_t i = 0; i < series; ++i) {
    std::string one;
    pbf_writer writer(one);
    const auto label = [&](const std::string& name, const std::string& value) {
      std::string pair;
      pbf_writer inner(pair);
      inner.add_string(1, name);
      inner.add_string(2, value);
      writer.add_message(1, pair);
    };
    label("__name__", "http_requests_total");
    for (std::size_t j = 0; j < labels; ++j) {
      label("l" + std::to_string(j), std::string(value_bytes, 'v') + std::to_string(i));
    }
    for (std::size_t j = 0; j < samples; ++j) {
      std::string sample;
      pbf_writer inner(sample);
      inner.add_double(1, static_cast<double>(j));
      inner.add_int64(2, 1'767'225'600'000 + static_cast<std::int64_t>(j));
      writer.add_message(2, sample);
    }
    pbf_writer(request).add_message(1, one);
  }
  snappy::Compress(request.data(), request.size(), &compressed);
  return compressed;
}

TEST(PayloadBudget, ManySamplesOfManySeries) {
  const InputConfig input = InputOf("prometheus-remote-write");
  EXPECT_EQ(Count(input, RemoteWrite(500, 20, 500, 30)).events, 250'000U);
  EXPECT_EQ(Count(input, RemoteWrite(20, 40, 5'000, 40)).events, 100'000U);
  const CountingSink sink = Count(input, RemoteWrite(1, 60, 20'000, 1'000));
  EXPECT_GT(sink.events, 1'000U);
  EXPECT_EQ(sink.events + sink.undecodable, 20'000U);
  EXPECT_EQ(sink.last_reason, budget_fault::kSeries);
}

// Labels without a name and a value are ignored; they are read once per series.
TEST(PayloadBudget, EmptyLabelsOfManySamples) {
  std::string series, request, compressed;
  pbf_writer writer(series);
  std::string name;
  pbf_writer inner(name);
  inner.add_string(1, "__name__");
  inner.add_string(2, "up");
  writer.add_message(1, name);
  for (int i = 0; i < 40'000; ++i) writer.add_message(1, std::string());
  for (int i = 0; i < 40'000; ++i) writer.add_message(2, std::string());
  pbf_writer(request).add_message(1, series);
  snappy::Compress(request.data(), request.size(), &compressed);
  EXPECT_EQ(Count(InputOf("prometheus-remote-write"), compressed).events, 40'000U);
}

TEST(PayloadBudget, ABlockThatLiesAboutItsLength) {
  // 8 MiB, it says.
  const std::string block("\x80\x80\x80\x04\x00x", 6);
  EXPECT_EQ(DecodedText(InputOf("prometheus-remote-write"), block),
            "undecodable: not a snappy block");
  // As small as blocks become.
  std::string text, compressed;
  pbf_writer(text).add_string(7, std::string(4 << 20, 'x'));
  snappy::Compress(text.data(), text.size(), &compressed);
  EXPECT_EQ(DecodedText(InputOf("prometheus-remote-write"), compressed), "");
}

TEST(PayloadBudget, FieldsOfALongMeasurement) {
  const std::string tags = ",host=" + std::string(900, 'h') + ",rack=" + std::string(900, 'r');
  std::string fields = "a=1";
  for (int i = 0; i < 10'000; ++i) fields += ",a=1";
  const CountingSink sink = Count(InputOf("influx"), "cpu" + tags + ' ' + fields);
  EXPECT_GT(sink.events, 1'000U);
  EXPECT_EQ(sink.events + sink.undecodable, 10'001U);
  EXPECT_EQ(sink.last_reason, budget_fault::kSeries);
  EXPECT_EQ(Count(InputOf("influx"), "cpu,host=web-1,rack=r7 " + fields).events, 10'001U);
}

std::string KinesisRecords(const std::string& text, std::size_t count) {
  const std::string packed = Gzip(text);
  const std::string record = R"({"kinesis":{"data":")" +
                             absl::Base64Escape(absl::string_view(packed.data(), packed.size())) +
                             "\"}}";
  std::string records = record;
  for (std::size_t i = 1; i < count; ++i) records += "," + record;
  return "{\"Records\":[" + records + "]}";
}

TEST(PayloadBudget, CompressedRecordsOfOneDocument) {
  const auto logs = [](std::size_t message_bytes) {
    return R"({"messageType":"DATA_MESSAGE","logGroup":"g","logStream":"s","logEvents":[{"id":"1",)"
           R"("timestamp":1600110569039,"message":")" +
           std::string(message_bytes, 'x') + "\"}]}";
  };
  const InputConfig input = InputOf("cloudwatch-logs");
  EXPECT_EQ(Count(input, KinesisRecords(logs(1'000), 500)).events, 500U);
  const CountingSink sink = Count(input, KinesisRecords(logs(7 << 20), 60));
  EXPECT_GE(sink.events, 1U);
  EXPECT_LT(sink.events, 10U);
  EXPECT_EQ(sink.events + sink.undecodable, 60U);
  EXPECT_EQ(sink.last_reason, budget_fault::kUnpacked);

  // Nested messages take from the same budget.
  InputConfig carrier = InputOf("sns");
  carrier.message_format = "cloudwatch-logs";
  const std::string packed = Gzip(logs(7 << 20));
  std::string record =
      R"({"EventSource":"aws:sns","Sns":{"Type":"Notification","TopicArn":"a","Message":")" +
      absl::Base64Escape(absl::string_view(packed.data(), packed.size())) + "\"}}";
  const std::string one = record;
  for (int i = 1; i < 40; ++i) record += "," + one;
  const CountingSink within = Count(carrier, "{\"Records\":[" + record + "]}");
  EXPECT_LT(within.events, 10U);
  EXPECT_EQ(within.events + within.undecodable, 40U);
  EXPECT_EQ(within.last_reason, budget_fault::kUnpacked);
}

TEST(PayloadBudget, FramesOfNothing) {
  std::string text;
  EXPECT_EQ(Unpack("zstd", Repeat(Zstd(""), 200'000), 1 << 20, &text), "");
  EXPECT_THAT(text, IsEmpty());
  EXPECT_EQ(Unpack("zstd", Repeat(Zstd("ab"), 1'000), 1 << 20, &text), "");
  EXPECT_EQ(text, Repeat("ab", 1'000));
  EXPECT_NE(Unpack("zstd", Zstd(std::string((1 << 20) + 1, 'x')), 1 << 20, &text), "");
  EXPECT_EQ(Unpack("zstd", Zstd(std::string(1 << 20, 'x')), 1 << 20, &text), "");
  EXPECT_THAT(text, SizeIs(1 << 20));
  EXPECT_NE(Unpack("zstd", Zstd("abc").substr(0, 8), 1 << 20, &text), "");
}

// A string with an escape is written to the parser's buffer each time that it is read.
TEST(PayloadBudget, ALongTextThatManyFieldsRead) {
  InputConfig input = InputOf("json");
  input.map = {{"message", "a", "", {}},
               {"user", "a", "", {}},
               {"exception", "a", "", {}},
               {"endpoint", "labels.a", "", {}},
               {"app", "labels.a", "", {}}};
  const std::string text = "\\n" + std::string(700'000, 'x');
  const RecordingSink sink = DecodeRecord(
      input, R"({"time":1767225600,"labels":{"a":"\n"},"a":")" + text + R"("})", kSecondUs);
  ASSERT_THAT(sink.events, SizeIs(1));
  for (const Field field : {Field::kMessage, Field::kUser, Field::kException}) {
    EXPECT_EQ(sink.events[0].Get(field).size(), 700'001U);
  }
  EXPECT_EQ(sink.events[0].Get(Field::kApp), "\n");
}

}  // namespace
}  // namespace tocsin
