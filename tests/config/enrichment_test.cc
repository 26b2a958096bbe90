#include "config/enrichment.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

// A file beside the test's configuration.
class Csv {
 public:
  explicit Csv(const std::string& content)
      : path_(testing::TempDir() + "enrichment_" + std::to_string(getpid()) + ".csv") {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~Csv() { std::remove(path_.c_str()); }
  Csv(const Csv&) = delete;
  Csv& operator=(const Csv&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::shared_ptr<const Enrichment> Read(const std::string& yaml, std::string* problems = nullptr) {
  ErrorList errors;
  const ConfigNode node = ParseYaml(yaml, "tocsin.yaml", &errors);
  std::shared_ptr<const Enrichment> enrichment = ReadEnrichment(node, &errors);
  std::string text;
  for (const ConfigError& error : errors.Sorted()) text += error.ToString() + "\n";
  if (problems == nullptr) {
    EXPECT_EQ(text, "");
  } else {
    *problems = text;
  }
  return enrichment;
}

// "service=shop labels.rack=r7", "nothing".
std::string Known(const EnrichmentTable& table, std::string_view value) {
  const EnrichmentTable::Row* const row = table.Find(value);
  if (row == nullptr) return "nothing";
  std::string text;
  for (const auto& [field, known] : *row) {
    text += (text.empty() ? "" : " ") + field.Name() + "=" + known;
  }
  return text;
}

TEST(Enrichment, WholeValuesComeBeforePatternsAndThoseInOrder) {
  const auto enrichment = Read(
      "- from: host\n"
      "  values: {'db-*': {service: orders-db, labels.rack: r7}, db-1: {service: first},\n"
      "           '*-1': {service: ones}, 'a*b*c': {service: abc}, '*': {service: rest}}\n");
  ASSERT_EQ(enrichment->size(), 1u);
  const EnrichmentTable& table = enrichment->front();
  EXPECT_EQ(table.from().Name(), "host");
  EXPECT_EQ(table.rows(), 5u);
  EXPECT_EQ(Known(table, "db-1"), "service=first");
  EXPECT_EQ(Known(table, "db-2"), "service=orders-db labels.rack=r7");
  EXPECT_EQ(Known(table, "db-"), "service=orders-db labels.rack=r7");
  EXPECT_EQ(Known(table, "web-1"), "service=ones");
  EXPECT_EQ(Known(table, "a-b-b-c"), "service=abc");
  EXPECT_EQ(Known(table, "abcd"), "service=rest");
}

TEST(Enrichment, OneFieldOfAll) {
  const auto enrichment = Read(
      "- {from: labels.log_group, to: service, values: {/aws/lambda/checkout: checkout, 7: "
      "seven}}\n");
  EXPECT_EQ(Known(enrichment->front(), "/aws/lambda/checkout"), "service=checkout");
  EXPECT_EQ(Known(enrichment->front(), "7"), "service=seven");
  EXPECT_EQ(Known(enrichment->front(), "/aws/lambda/other"), "nothing");
  EXPECT_FALSE(enrichment->front().overwrite());
}

TEST(Enrichment, TablesOfCsv) {
  const Csv csv(
      "\xEF\xBB\xBFname,service,severity\r\n"
      "payments-*,payments,high\r\n"
      "\r\n"
      "\"a, \"\"b\"\"\nc\",shop,\n");
  const auto enrichment = Read("- {from: name, file: " + csv.path() + ", overwrite: true}\n");
  const EnrichmentTable& table = enrichment->front();
  EXPECT_TRUE(table.overwrite());
  EXPECT_EQ(Known(table, "payments-db-cpu"), "service=payments severity=high");
  EXPECT_EQ(Known(table, "a, \"b\"\nc"), "service=shop");
  EXPECT_EQ(table.rows(), 2u);
}

TEST(Enrichment, SaysWhatIsWrongAndWhere) {
  const auto errors = [](const std::string& yaml) {
    std::string problems;
    Read(yaml, &problems);
    return problems;
  };
  EXPECT_THAT(errors("x"), HasSubstr("tocsin.yaml:1:1: enrich is 'x': expected a list of tables"));
  EXPECT_THAT(errors("- {values: {a: {service: b}}}"), HasSubstr("from"));
  EXPECT_THAT(errors("- {from: status, values: {a: {service: b}}}"),
              HasSubstr("is not a string field of an event"));
  EXPECT_THAT(errors("- {from: host}"), HasSubstr("expected either values or a file"));
  EXPECT_THAT(errors("- {from: host, values: {a: b}}"), HasSubstr("the field of all as `to`"));
  EXPECT_THAT(errors("- {from: host, values: {a: {servce: b}}}"),
              HasSubstr("tocsin.yaml:1:29: 'servce' is not a string field of an event"));
  EXPECT_THAT(errors("- {from: host, values: {a: {type: request}}}"),
              HasSubstr("'type' is not a string field"));
  EXPECT_THAT(errors("- {from: host, values: [a]}"), HasSubstr("values: expected a map"));
  EXPECT_THAT(errors("- {from: host, file: /nowhere.csv}"),
              HasSubstr("/nowhere.csv cannot be read"));
  EXPECT_THAT(errors("- {from: host, color: red, values: {a: {service: b}}}"), HasSubstr("color"));
  const auto csv_errors = [&](const std::string& content) {
    const Csv csv(content);
    return errors("- {from: host, file: " + csv.path() + "}");
  };
  EXPECT_THAT(csv_errors(""), HasSubstr("has no rows"));
  EXPECT_THAT(csv_errors("service,host\na,b\n"),
              HasSubstr(".csv:1:1: the first column is 'service'"));
  EXPECT_THAT(csv_errors("host,service\na\nb,c\n"), HasSubstr(".csv:2:1: 1 cells: expected 2"));
  EXPECT_THAT(csv_errors("host,service\na,b\na,c\n"), HasSubstr(".csv:3:1: 'a' has a row already"));
  EXPECT_THAT(csv_errors("host,service\n,b\n"), HasSubstr(".csv:2:1: a row for no value"));
  EXPECT_THAT(csv_errors("host,service\na,\"b\n"), HasSubstr("a quoted cell has no end"));
  EXPECT_THAT(csv_errors("host,service\na," + std::string(2'000, 'x')),
              HasSubstr("more than 1 KiB"));
}

TEST(Enrichment, IsThatOfAllInputs) {
  ErrorList errors;
  const std::optional<Config> config = LoadConfigText(
      "inputs: [{name: a, file: a.log}, {name: b, file: b.log}]\n"
      "enrich: [{from: host, to: service, values: {web-1: shop}}]\n",
      "tocsin.yaml", &errors);
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->inputs[0].enrichment, config->enrichment);
  EXPECT_EQ(config->inputs[1].enrichment, config->enrichment);
  EXPECT_EQ(config->enrichment->size(), 1u);
}

}  // namespace
}  // namespace tocsin
