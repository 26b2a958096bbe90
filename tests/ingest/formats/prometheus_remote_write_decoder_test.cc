#include <gtest/gtest.h>

#include <initializer_list>
#include <limits>
#include <string>
#include <utility>

#include <snappy.h>
#include <protozero/pbf_writer.hpp>

#include "core/limits.h"
#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

using protozero::pbf_writer;

const InputConfig kInput = InputOf("prometheus-remote-write");
constexpr std::int64_t kMilliseconds = 1'767'225'600'123;

using Labels = std::initializer_list<std::pair<std::string, std::string>>;

std::string Series(Labels labels, std::initializer_list<double> values,
                   std::int64_t time = kMilliseconds) {
  std::string series;
  pbf_writer writer(series);
  // Samples first, as nothing forbids.
  for (const double value : values) {
    std::string sample;
    pbf_writer inner(sample);
    inner.add_double(1, value);
    inner.add_int64(2, time);
    writer.add_message(2, sample);
  }
  for (const auto& [name, value] : labels) {
    std::string label;
    pbf_writer inner(label);
    inner.add_string(1, name);
    inner.add_string(2, value);
    writer.add_message(1, label);
  }
  return series;
}

std::string Request(std::initializer_list<std::string> series) {
  std::string request, compressed;
  pbf_writer writer(request);
  for (const std::string& one : series) writer.add_message(1, one);
  writer.add_message(3, std::string("\x08\x01"));  // metadata
  snappy::Compress(request.data(), request.size(), &compressed);
  return compressed;
}

TEST(PrometheusRemoteWriteDecoder, AnEventASample) {
  ExpectDecoded(
      kInput,
      {Request({Series({{"__name__", "http_requests_total"},
                        {"code", "500"},
                        {"instance", "web-1:9090"},
                        {"job", "shop"}},
                       {1027, 1028}),
                Series({{"__name__", "queue_depth"},
                        {"env", "stage"},
                        {"job", "a"},
                        {"service", "b"},
                        {"type", "request"}},
                       {4.5}),
                Series({{"__name__", "lag_seconds_bucket"}, {"le", "+Inf"}}, {7})}),
       "2026-01-01T00:00:00.123Z metric counter value=1027 host=web-1:9090 "
       "name=http_requests_total service=shop labels.code=500 labels.instance=web-1:9090 "
       "labels.job=shop\n"
       "2026-01-01T00:00:00.123Z metric counter value=1028 host=web-1:9090 "
       "name=http_requests_total service=shop labels.code=500 labels.instance=web-1:9090 "
       "labels.job=shop\n"
       "2026-01-01T00:00:00.123Z metric value=4.5 env=stage name=queue_depth service=b "
       "labels.env=stage labels.job=a labels.service=b labels.type=request\n"
       "2026-01-01T00:00:00.123Z metric counter value=7 name=lag_seconds_bucket labels.le=+Inf"});
}

TEST(PrometheusRemoteWriteDecoder, NativeHistograms) {
  std::string series = Series({{"__name__", "latency"}}, {});
  std::string histogram;
  pbf_writer writer(histogram);
  writer.add_uint64(1, 12);
  writer.add_double(3, 3.5);
  writer.add_int64(15, kMilliseconds);
  pbf_writer(series).add_message(4, histogram);
  ExpectDecoded(kInput, {Request({series}),
                         "2026-01-01T00:00:00.123Z metric counter value=12 name=latency_count\n"
                         "2026-01-01T00:00:00.123Z metric counter value=3.5 name=latency_sum"});
}

TEST(PrometheusRemoteWriteDecoder, WhatIsNoSample) {
  const double stale = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  const BuiltCase cases[] = {
      {Request({Series({{"__name__", "a"}}, {stale, infinite})}),
       "skipped: sample value is not a finite number\nskipped: sample value is not a finite "
       "number"},
      {Request({Series({{"job", "a"}}, {1})}), "undecodable: a sample without a name"},
      {Request({Series({{"__name__", "a"}}, {1e30})}), "skipped: a number out of range"},
      {Request({Series({{"__name__", "a"}}, {1}, -5)}), "undecodable: a time out of range"},
      {Request({Series({{"__name__", "a"}}, {1}, INT64_MAX)}), "undecodable: a time out of range"},
      {Request({Series({{"__name__", "a\xff"}}, {1})}), "undecodable: not valid UTF-8"},
      {Request({Series({{"__name__", "a"}, {"x", "\xff"}}, {1})}), "undecodable: not valid UTF-8"},
      {"", "undecodable: not a snappy block"},
      {"plain text", "undecodable: not a snappy block"},
  };
  for (const BuiltCase& test : cases) ExpectDecoded(kInput, {test.record, test.expected});
  std::string not_protobuf;
  snappy::Compress("\x0a\x7f", 2, &not_protobuf);
  ExpectDecoded(kInput, {not_protobuf, "undecodable: not a valid protobuf message"});
  // A bomb is known before it is unpacked.
  const std::string zeros(limits::kPayloadBytesMax + 1, '\0');
  std::string bomb;
  snappy::Compress(zeros.data(), zeros.size(), &bomb);
  ASSERT_LT(bomb.size(), zeros.size() / 10);
  ExpectDecoded(kInput, {bomb, "undecodable: larger than 8 MiB"});
}

}  // namespace
}  // namespace tocsin
