#include "ingest/sources/kafka_uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/string_hash.h"

namespace tocsin {
namespace {

TEST(KafkaUri, Parses) {
  const auto plain = ParseKafkaUri("kafka://localhost:9092/app-logs");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->brokers, "localhost:9092");
  EXPECT_EQ(plain->topic, "app-logs");
  EXPECT_FALSE(plain->from || plain->to);

  const auto full = ParseKafkaUri(
      "kafka://a:1,b,[::1]:2,[::1]/t.x_1?from=2026-01-01T00%3A00%3A00Z&to=1767229200");
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_EQ(full->brokers, "a:1,b:9092,[::1]:2,[::1]:9092");
  EXPECT_EQ(full->topic, "t.x_1");
  EXPECT_EQ(full->from, 1767225600 * kSecondUs);
  EXPECT_EQ(full->to, 1767229200 * kSecondUs);
}

TEST(KafkaUri, Refuses) {
  struct Case {
    std::string text;
    std::string message;
  };
  const Case cases[] = {
      {"logs/", "not a Kafka address"},
      {"kafka://localhost:9092", "a topic is missing"},
      {"kafka://localhost:9092/", "a topic is missing"},
      {"kafka:///topic", "a host is missing"},
      {"kafka://a,,b/topic", "a host is missing"},
      {"kafka://a:x/topic", "invalid port number"},
      {"kafka://a:/topic", "invalid port number"},
      {"kafka://a:70000/topic", "invalid port number"},
      {"kafka://a:1/to/pic", "invalid topic name"},
      {"kafka://a:1/..", "invalid topic name"},
      {"kafka://a:1/t?from=yesterday", "\"from\" is not a valid time"},
      {"kafka://a:1/t?to=%4", "\"to\" is not a valid time"},
      {"kafka://a:1/t?to", "\"to\" is not a valid time"},
      {"kafka://a:1/t?since=5", "unknown parameter \"since\""},
      {"kafka://a:1/t?from=1767229200&to=1767225600", "not before"},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.text);
    const auto uri = ParseKafkaUri(test.text);
    ASSERT_FALSE(uri.ok());
    const std::string message(FromAbsl(uri.status().message()));
    EXPECT_THAT(message, ::testing::HasSubstr(test.message));
    EXPECT_THAT(message, ::testing::HasSubstr(test.text));
  }
}

}  // namespace
}  // namespace tocsin
