// Plain events take a fast path, which must give the same result as the full parser. An escape
// anywhere in an event sends it to the full parser, so each event is read with and without one.

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/ingest/recording_sink.h"

namespace tocsin {
namespace {

void Append(const std::optional<double>& number, std::string* out) {
  *out += number ? std::to_string(std::bit_cast<std::uint64_t>(*number)) + ' ' : "- ";
}

std::string TextOf(const RecordingSink& sink) {
  std::string out;
  for (const KeptEvent& kept : sink.events) {
    const Event& event = kept.event;
    for (const std::int64_t number :
         {event.time, static_cast<std::int64_t>(event.type),
          static_cast<std::int64_t>(event.outcome), static_cast<std::int64_t>(event.action),
          static_cast<std::int64_t>(event.metric_type), static_cast<std::int64_t>(event.state),
          std::int64_t{event.status}, event.duration, event.weight}) {
      out += std::to_string(number) + ' ';
    }
    for (const auto& number : {event.value, event.limit, event.cvss, event.amount, event.count,
                               event.sum, event.min, event.max}) {
      Append(number, &out);
    }
    for (const auto& [name, text] : kept.text) out += name + '=' + text + ' ';
    for (const auto& [name, text] : kept.labels) out += "labels." + name + '=' + text + ' ';
  }
  for (const std::string& reason : sink.reasons) out += reason;
  return out;
}

std::string Decoded(Decoder* decoder, const std::string& record) {
  RecordingSink sink;
  decoder->Decode(record, 5 * kSecondUs, &sink);
  std::string padded = record;
  padded += '\0';
  padded.append(kDecodePadding, '}');
  RecordingSink in_place;
  decoder->DecodePadded({padded.data(), record.size()}, 5 * kSecondUs, &in_place);
  EXPECT_EQ(TextOf(in_place), TextOf(sink));
  return TextOf(sink);
}

// As the full parser reads it.
std::string DecodedInFull(const std::string& record) {
  std::string text = record;
  if (const std::size_t brace = text.find('{'); brace != text.npos) {
    const std::size_t next = text.find_first_not_of(" \t\r\n", brace + 1);
    const bool empty = next != text.npos && text[next] == '}';
    text.insert(brace + 1, empty ? R"("unread":"\n")" : R"("unread":"\n",)");
  }
  return Decoded(JsonDecoderFor().get(), text);
}

TEST(JsonPlain, EqualsTheFullParser) {
  const std::string_view records[] = {
      R"({})",
      R"({ })",
      R"({"service":"api"})",
      R"({"service": "api", "status": 500, "duration_ms": 1.25})",
      R"({"service" : "api"})",
      R"({  "service":"api"})",
      R"({"service":"api",})",
      R"({"service":"api" "status":1})",
      R"({"service":"api"}})",
      R"({"service":"api"} x)",
      R"({"service":"api)",
      R"({"service":"a}{","host":"b"})",
      R"({"status":0500})",
      R"({"status":500.0})",
      R"({"status":500.5})",
      R"({"status":-1})",
      R"({"status":5e2})",
      R"({"status":"404"})",
      R"({"status":1.})",
      R"({"status":.5})",
      R"({"status":12a})",
      R"({"value":9007199254740992})",
      R"({"value":9007199254740993})",
      R"({"value":123456789012345678})",
      R"({"value":1234567890123456789012345678})",
      R"({"value":0.1})",
      R"({"value":179.000000000000001})",
      R"({"value":1e308})",
      R"({"value":NaN})",
      R"({"time":1700000000})",
      R"({"time":1700000000.123456})",
      R"({"time":1700000000123})",
      R"({"time":1700000000123.4})",
      R"({"time":1700000000123456789})",
      R"({"time":"2026-01-01T00:00:00Z"})",
      R"({"time":99999999999999999999})",
      R"({"time":null,"service":null,"status":null})",
      R"({"time":true})",
      R"({"service":true})",
      R"({"service":7})",
      R"({"service":""})",
      R"({"service":"","service.name":"b"})",
      R"({"service.name":"b","service":"a"})",
      R"({"service":"a","service.name":"b"})",
      R"({"service":"ä"})",
      R"({"ä":1,"service":"a"})",
      "{\"service\":\"\xff\"}",
      "{\"service\":\"a\tb\"}",
      "{\"service\":\"a\x7f\"}",
      "{\n  \"service\": \"a\"\n}",
      R"({"event":{"duration":12340000,"id":"e"},"http":{"response":{"status_code":200}}})",
      R"({"event":{},"service":"a"})",
      R"({"event":{"duration":1,})",
      R"({"labels":{"team":"db"},"service":"a"})",
      R"({"tags":["x"],"service":"a"})",
      R"({"context":{"a":{"b":1}},"service":"a"})",
      R"({"type":"request","outcome":"failure","action":"open","state":"ok"})",
      R"({"type":"nonsense"})",
      R"({"type":"connection","action":"x"})",
      R"({"weight":0})",
      R"({"weight":10,"max":5,"metric_type":"gauge"})",
      R"({"duration_ms":-5})",
      R"({"endpoint":"/orders/42","method":"GET"})",
  };
  for (const std::string_view record : records) {
    SCOPED_TRACE(record);
    EXPECT_EQ(Decoded(JsonDecoderFor().get(), std::string(record)),
              DecodedInFull(std::string(record)));
  }
}

TEST(JsonPlain, EqualsTheFullParserOnRandomNumbers) {
  std::mt19937 random(2);
  const std::unique_ptr<Decoder> seasoned = JsonDecoderFor();
  for (int i = 0; i < 20'000; ++i) {
    const auto digits = [&](std::uint64_t most) {
      std::string text;
      for (std::uint64_t n = random() % (most + 1); n > 0; --n) {
        text += static_cast<char>('0' + random() % 10);
      }
      return text;
    };
    std::string number = digits(20);
    if (random() % 2 == 0) number += '.' + digits(10);
    // A character that is no digit, somewhere among them; of those next to the digits, too.
    if (random() % 8 == 0 && !number.empty())
      number[random() % number.size()] = "/:;?e -"[random() % 7];
    const std::string record = R"({"value":)" + number + "}";
    SCOPED_TRACE(record);
    ASSERT_EQ(Decoded(seasoned.get(), record), DecodedInFull(record));
  }
}

// The bytes between values are predicted from previous events. An additional, missing or changed
// byte must still be detected, also for a field that was the first of its object in one event only.
TEST(JsonPlain, EqualsTheFullParserWherePredictedEventsAreBroken) {
  static constexpr std::array<std::string_view, 4> kGood = {
      R"({"event":{"id":"a","duration":1},"service":"api","status":200})",
      R"({"service":"api","event":{"duration":1,"id":"a"},"status":200})",
      R"({"host": "a", "event": {"duration": 1, "id": "a", "kind": "event"}, "user_agent": null})",
      R"({"host": "a", "id": "c", "kind": "event", "event": {}, "a name that is longer": "b"})"};
  std::mt19937 random(3);
  const std::unique_ptr<Decoder> seasoned = JsonDecoderFor();
  for (int i = 0; i < 10'000; ++i) {
    for (std::uint64_t n = random() % 3; n > 0; --n) {
      Decoded(seasoned.get(), std::string(kGood[random() % kGood.size()]));
    }
    std::string record(kGood[random() % kGood.size()]);
    const std::size_t at = random() % record.size();
    const char other = record[random() % record.size()];
    switch (random() % 3) {
      case 0:
        record.erase(at, 1);
        break;
      case 1:
        record.insert(at, 1, other);
        break;
      default:
        record[at] = other;
    }
    SCOPED_TRACE(record);
    ASSERT_EQ(Decoded(seasoned.get(), record), DecodedInFull(record));
  }
}

// With a new reader for each start, and with one that remembers events of another layout.
TEST(JsonPlain, EqualsTheFullParserOnRandomEvents) {
  static constexpr std::array<std::string_view, 19> kKeys = {"time",
                                                             "service",
                                                             "status",
                                                             "duration_ms",
                                                             "value",
                                                             "endpoint",
                                                             "event",
                                                             "type",
                                                             "http",
                                                             "id",
                                                             "duration",
                                                             "a key that nobody reads",
                                                             "message",
                                                             "response",
                                                             "user_agent",
                                                             "status_code",
                                                             "http.status_code",
                                                             "user_agent.original",
                                                             "a key of 13 ."};
  static constexpr std::array<std::string_view, 24> kValues = {"\"api\"",
                                                               "\"\"",
                                                               "\"a b\"",
                                                               "\"request\"",
                                                               "\"/a/1\"",
                                                               "0",
                                                               "200",
                                                               "12.5",
                                                               "1e3",
                                                               "-4",
                                                               "007",
                                                               "1.",
                                                               "nul",
                                                               "null",
                                                               "true",
                                                               "1700000000",
                                                               "\"\xc3\xa4\"",
                                                               "\"\xff\"",
                                                               "[1]",
                                                               "{}",
                                                               "\"x",
                                                               "",
                                                               "99999999999999999999",
                                                               "\"2026-01-01T00:00:00.5Z\""};
  static constexpr std::array<std::string_view, 6> kSpaces = {"", "", "", " ", "  ", "\n"};
  std::mt19937 random(1);
  const auto one_of = [&](const auto& all) { return std::string(all[random() % all.size()]); };
  const auto object = [&](const auto& self, int depth) -> std::string {
    std::string text = "{";
    for (std::uint64_t i = 0, n = random() % 6; i < n; ++i) {
      const bool good = random() % 4 != 0;
      const std::string key = one_of(kKeys);
      if (i > 0) text += ',' + (good ? "" : one_of(kSpaces));
      text += '"' + key + "\":" + (good ? "" : one_of(kSpaces));
      text += depth < 3 && (key == "event" || key == "http" || key == "response")
                  ? self(self, depth + 1)
                  : std::string(kValues[random() % (good ? 8 : kValues.size())]);
    }
    return text + '}';
  };
  const std::unique_ptr<Decoder> seasoned = JsonDecoderFor();
  int events = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string record = object(object, 0);
    SCOPED_TRACE(record);
    const std::string expected = DecodedInFull(record);
    ASSERT_EQ(Decoded(JsonDecoderFor().get(), record), expected);
    ASSERT_EQ(Decoded(seasoned.get(), record), expected);
    events += expected.find('=') != expected.npos;
  }
  EXPECT_GT(events, 5'000);
}

}  // namespace
}  // namespace tocsin
