// What is known beside the events: the service of a host, of a log group, of an alarm.
//
//   enrich:
//     - from: host
//       values: {web-1: {service: shop}, "db-*": {service: orders-db, labels.rack: r7}}
//     - {from: labels.log_group, to: service, values: {/aws/lambda/checkout: checkout}}
//     - {from: name, file: alarms.csv}          # name,service,severity / payments-*,payments,high
//
//   const EnrichmentTable::Row* row = table.Find("db-3");     // nullptr: nothing is known
//
// A value with a * stands for all that fit, any text in its place; whole values come before those,
// and of those the first. In a CSV file (RFC 4180, UTF-8) the first line names the fields, the
// first of them being `from`. A table fills what an event does not say; with `overwrite: true` it
// wins. Limits: 100,000 rows, 64 MiB of a file. Immutable once read; thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/node.h"
#include "core/event.h"

namespace tocsin {

class EnrichmentTable {
 public:
  // Targets and texts, which are never empty.
  using Row = std::vector<std::pair<FieldRef, std::string>>;

  const FieldRef& from() const { return from_; }
  bool overwrite() const { return overwrite_; }
  std::size_t rows() const { return rows_.size(); }
  // The whole value, then the patterns in order, each in time linear in the value's length times
  // that of the pattern.
  const Row* Find(std::string_view value) const;

 private:
  friend class EnrichmentReader;

  FieldRef from_;
  bool overwrite_ = false;
  std::vector<Row> rows_;
  std::unordered_map<std::string, std::size_t> whole_;
  std::vector<std::pair<std::string, std::size_t>> patterns_;
};

using Enrichment = std::vector<EnrichmentTable>;  // applied in order

std::shared_ptr<const Enrichment> ReadEnrichment(const ConfigNode& list, ErrorList* errors);

}  // namespace tocsin
