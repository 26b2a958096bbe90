#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include <zlib.h>

#include "absl/strings/escaping.h"
#include "core/json_writer.h"
#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

using ::testing::IsEmpty;

constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

// `window_bits` says how: 15 is zlib, 31 gzip.
std::string Deflated(std::string_view text, int window_bits = 31) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string Base64(std::string_view bytes) {
  return absl::Base64Escape({bytes.data(), bytes.size()});
}

std::string Logs(std::string_view message) {
  return R"({"messageType": "DATA_MESSAGE", "owner": "111111111111", "logGroup": "/ecs/shop",
      "logStream": "web/1", "subscriptionFilters": ["Destination"],
      "logEvents": [{"id": "3568", "timestamp": 1600110569039, "message": )" +
         JsonWriter().String(message).Take() + "}]}";
}

InputConfig LogsOf(std::string_view message_format) {
  InputConfig input = InputOf("cloudwatch-logs");
  input.message_format = message_format;
  return input;
}

const InputConfig kInput = LogsOf("");

TEST(CloudWatchLogsDecoder, EveryWrapping) {
  const std::string logs = Logs("ready\n");
  const std::string expected =
      "2020-09-14T19:09:29.039Z log message=ready labels.log_group=/ecs/shop "
      "labels.log_stream=web/1";
  const auto lambda = [](const std::string& data) {
    return R"({"awslogs": {"data": ")" + data + "\"}}";
  };
  const std::string records[] = {
      logs,
      Deflated(logs),
      Deflated(logs, 15),
      Base64(Deflated(logs)),
      Base64(Deflated(logs)) + "\n",
      Base64(Deflated(logs, 15)),
      lambda(Base64(Deflated(logs))),
      lambda(Base64(Deflated(logs, 15))),
      R"({"Records": [{"kinesis": {"data": ")" + Base64(Deflated(logs)) + "\"}}]}",
  };
  for (const std::string& record : records) ExpectDecoded(kInput, {record, expected});
}

TEST(CloudWatchLogsDecoder, MessagesOfASecondFormat) {
  const std::string labels = " labels.log_group=/ecs/shop labels.log_stream=web/1";
  const RecordCase messages[] = {
      {R"({"type": "request", "status": 503, "time": "2020-09-14T19:09:00Z"})",
       "2020-09-14T19:09:00Z request 503"},
      {R"({"level": "error", "message": "no"})",
       "2020-09-14T19:09:29.039Z log level=error message=no"},
      {"[info] ready", "2020-09-14T19:09:29.039Z log message=[info] ready"},
  };
  for (const RecordCase& test : messages) {
    ExpectDecoded(kInput, {Logs(test.record), std::string(test.expected) + labels});
  }
  ExpectDecoded(kInput, {Logs("{not JSON"), "undecodable: cut short"});
  ExpectDecoded(kInput, {Logs(""), "skipped: an empty message"});
  ExpectDecoded(kInput, {R"({"messageType": "DATA_MESSAGE", "logEvents": [
                             {"timestamp": 1600110569039, "message": "{}"}]})",
                         "2020-09-14T19:09:29.039Z log"});
  ExpectDecoded(
      LogsOf("clf"),
      {Logs("192.0.2.7 - - [14/Sep/2020:19:09:00 +0000] \"GET /a HTTP/1.1\" 200 -"),
       "2020-09-14T19:09:00Z request 200 client_ip=192.0.2.7 endpoint=/a method=GET" + labels});
  InputConfig mapped = kInput;
  mapped.map = {{"service", "", "shop", {}}, {"level", "severity", "", {}}};
  ExpectDecoded(
      mapped, {Logs("ready"), "2020-09-14T19:09:29.039Z log message=ready service=shop" + labels});
  ExpectDecoded(mapped,
                {Logs(R"({"severity": "warn"})"),
                 "2020-09-14T19:09:29.039Z log level=warn service=shop severity=warn" + labels});
}

TEST(CloudWatchLogsDecoder, WhatIsNoLog) {
  const std::string control = Base64(Deflated(R"({"messageType": "CONTROL_MESSAGE",
      "owner": "CloudwatchLogs", "logEvents": [{"id": "", "timestamp": 1, "message": "a"}]})"));
  const std::string cut = Deflated(Logs("ready")).substr(0, 60);
  std::string damaged = Deflated(Logs("ready"));
  damaged[20] = static_cast<char>(damaged[20] ^ 0x55);
  const std::string twice = Deflated(Logs("a")) + Deflated(Logs("b"));
  const std::string bomb = Deflated(std::string(100 << 20, ' '));
  const std::string array = Deflated("[1]");
  const std::string deep =
      Deflated("{\"a\":" + std::string(5000, '[') + std::string(5000, ']') + "}");
  const RecordCase cases[] = {
      {control, "skipped: a control message"},
      {cut, "undecodable: truncated compressed data"},
      {damaged, "undecodable: corrupt compressed data"},
      {twice, "undecodable: trailing bytes after compressed data"},
      {bomb, "undecodable: too large when decompressed"},
      {array, "undecodable: not a JSON object"},
      {deep, "undecodable: deeper than 32 levels"},
      {"H4sI !", "undecodable: data is not gzip or zlib in base64"},
      {"H4sIAAAA", "undecodable: truncated compressed data"},
      {R"({"awslogs": {"data": "bm8="}})", "undecodable: data is not gzip or zlib in base64"},
      {R"({"awslogs": {}})", "undecodable: data is not gzip or zlib in base64"},
      {R"({"awslogs": {"data": 1}})", "undecodable: data is not a string"},
      {R"({"Records": [{}]})", "undecodable: data is not gzip or zlib in base64"},
      {R"({"Records": []})", "skipped: an event without records"},
      {R"({"logGroup": "a"})",
       "undecodable: messageType is neither DATA_MESSAGE nor CONTROL_MESSAGE"},
      {R"({"messageType": "DATA_MESSAGE"})", "skipped: a message without log events"},
      {R"({"messageType": "DATA_MESSAGE", "logEvents": [{"message": 1}]})",
       "undecodable: message is not a string"},
      {R"({"messageType": "DATA_MESSAGE", "logEvents": [{"message": "a"}]})",
       "2019-12-20T00:00:00Z log message=a"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

TEST(CloudWatchLogsDecoder, LongNamesAreNoLabels) {
  const std::string group(2000, 'a');
  for (const char* message : {"{}", "text"}) {
    const RecordingSink sink = DecodeRecord(
        kInput, R"({"messageType": "DATA_MESSAGE", "logGroup": ")" + group +
                    R"(", "logEvents": [{"timestamp": 1, "message": ")" + message + "\"}]}");
    EXPECT_THAT(sink.events, IsEmpty());
    EXPECT_THAT(sink.reasons, testing::ElementsAre("a label of more than 1 KiB"));
  }
}

TEST(CloudWatchLogsDecoder, EveryPrefixOfACompressedMessageIsUndecodable) {
  const std::string whole = Deflated(Logs("ready"));
  for (std::size_t size = 2; size < whole.size(); ++size) {
    const RecordingSink sink = DecodeRecord(kInput, whole.substr(0, size));
    EXPECT_THAT(sink.events, IsEmpty());
    EXPECT_EQ(sink.reasons.size(), 1U);
  }
}

}  // namespace
}  // namespace tocsin
