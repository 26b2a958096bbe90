#include "ingest/enriching_decoder.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

std::shared_ptr<const Enrichment> Tables(const std::string& yaml) {
  ErrorList errors;
  const ConfigNode node = ParseYaml(yaml, "tocsin.yaml", &errors);
  std::shared_ptr<const Enrichment> enrichment = ReadEnrichment(node, &errors);
  EXPECT_TRUE(errors.empty());
  return enrichment;
}

InputConfig Json(const std::string& tables) {
  InputConfig input = InputOf("json");
  input.enrichment = Tables(tables);
  return input;
}

TEST(EnrichingDecoder, FillsWhatTheEventDoesNotSay) {
  const InputConfig input = Json(
      "- {from: host, values: {web-1: {service: shop, env: stage, labels.rack: r7}}}\n"
      "- {from: labels.rack, to: region, values: {r7: eu}}\n");
  const RecordCase cases[] = {
      {R"({"time": 0, "type": "log", "host": "web-1"})",
       "1970-01-01T00:00:00Z log env=stage host=web-1 region=eu service=shop labels.rack=r7"},
      {R"({"time": 0, "type": "log", "host": "web-1", "service": "cart", "env": "test",)"
       R"( "labels": {"rack": "r1", "a": "b"}})",
       "1970-01-01T00:00:00Z log env=test host=web-1 service=cart labels.a=b labels.rack=r1"},
      {R"({"time": 0, "type": "log", "host": "web-2"})", "1970-01-01T00:00:00Z log host=web-2"},
      {R"({"time": 0, "type": "log"})", "1970-01-01T00:00:00Z log"},
      {"{", "undecodable: cut short"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(input, test);
}

TEST(EnrichingDecoder, OverwritesWhereItIsToldTo) {
  ExpectDecoded(
      Json("- {from: host, overwrite: true, values: {web-1: {service: shop, labels.a: x}}}\n"),
      {R"({"time": 0, "type": "log", "host": "web-1", "service": "cart", "labels": {"a": "b"}})",
       "1970-01-01T00:00:00Z log host=web-1 service=shop labels.a=x"});
}

TEST(EnrichingDecoder, FindsWhatTheMessagesOfALogGroupAreOf) {
  InputConfig input = InputOf("cloudwatch-logs");
  input.enrichment =
      Tables("- {from: labels.log_group, to: service, values: {/aws/lambda/a*: checkout}}\n");
  ExpectDecoded(
      input, {R"({"messageType": "DATA_MESSAGE", "logGroup": "/aws/lambda/a1", "logStream": "s",)"
              R"( "logEvents": [{"id": "1", "timestamp": 0, "message": "no"}]})",
              "1970-01-01T00:00:00Z log message=no service=checkout "
              "labels.log_group=/aws/lambda/a1 labels.log_stream=s"});
}

TEST(EnrichingDecoder, IsNoneWithoutTables) {
  ErrorList errors;
  std::unique_ptr<Decoder> decoder = NewDecoder(InputOf("json"), &errors);
  const Decoder* const plain = decoder.get();
  EXPECT_EQ(Enrich(std::move(decoder), std::make_shared<Enrichment>()).get(), plain);
}

TEST(EnrichingDecoder, RemembersOnlySoMuch) {
  const InputConfig input = Json("- {from: host, to: service, values: {'web-*': shop}}\n");
  std::string records;
  for (int i = 0; i < 10'000; ++i) {
    records += R"({"time": 0, "type": "log", "host": "web-)" + std::to_string(i % 5'000) + "\"}\n";
  }
  const RecordingSink sink = DecodeRecord(input, records);
  ASSERT_EQ(sink.events.size(), 10'000u);
  for (const KeptEvent& event : sink.events) {
    ASSERT_THAT(EventText(event), testing::HasSubstr("service=shop"));
  }
}

}  // namespace
}  // namespace tocsin
