#include "cli/check_connect.h"

#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status_macros.h"
#include "ingest/sources/file_listing.h"
#include "ingest/sources/file_source.h"
#include "ingest/sources/kafka_source.h"

namespace tocsin {
namespace {

// Nothing is polled, so nothing is called.
class NoCallbacks final : public KafkaCallbacks {
  absl::Status OnAssigned(std::span<KafkaAssignment>) override { return absl::OkStatus(); }
  void OnRevoked(const KafkaPartition&) override {}
  void OnRecord(const KafkaPartition&, const KafkaRecord&) override {}
  void OnEnd(const KafkaPartition&, std::int64_t) override {}
  void OnSkipped(const KafkaPartition&, std::int64_t, std::int64_t, std::string_view) override {}
  void OnError(std::string_view) override {}
};

std::string Counted(std::size_t count, std::string_view noun) {
  return absl::StrCat(count, " ", std::string(noun), count == 1 ? "" : "s");
}

absl::StatusOr<std::string> LookAtKafka(const KafkaInputConfig& input, absl::Duration timeout) {
  KafkaSource::Options options;
  options.brokers = input.brokers;
  options.topics = input.topics;
  options.assign_all = true;
  TOCSIN_ASSIGN_OR_RETURN(options.properties, input.AllProperties());
  NoCallbacks callbacks;
  KafkaSource source(std::move(options), &callbacks);
  TOCSIN_RETURN_IF_ERROR(source.Start(timeout));
  const std::size_t partitions = source.AllPartitions().size();
  source.Stop();
  return absl::StrCat(Counted(partitions, "partition"), " of ", absl::StrJoin(input.topics, ", "),
                      " at ", input.brokers);
}

absl::StatusOr<std::string> LookAtFiles(const FileInputConfig& input) {
  if (input.path == "-") return std::string("standard input");
  const FoundFiles found = FindFiles(input.path);
  if (!found.faults.empty()) return absl::UnavailableError(absl::StrJoin(found.faults, "; "));
  if (!found.missing.empty()) return absl::NotFoundError(found.missing);
  std::size_t readable = 0;
  for (const FileInput& file : found.files) {
    const absl::StatusOr<std::unique_ptr<LineReader>> reader = OpenLineReader(file.path);
    // One that `run` waits for; where it is the only one, people want to know.
    if (reader.ok()) {
      ++readable;
    } else if (!absl::IsNotFound(reader.status())) {
      return reader.status();
    }
  }
  if (readable == 0) {
    return absl::NotFoundError(absl::StrCat(input.path, ": nothing is there yet"));
  }
  return absl::StrCat(Counted(readable, "file"), " at ", input.path);
}

absl::StatusOr<std::string> LookAt(const InputConfig& input, absl::Duration timeout) {
  if (input.kafka) return LookAtKafka(*input.kafka, timeout);
  if (input.file && !input.http) return LookAtFiles(*input.file);
  return std::string("is posted to this program");
}

}  // namespace

ConnectResult CheckConnections(const Config& config, absl::Duration timeout) {
  ConnectResult result;
  for (const InputConfig& input : config.inputs) {
    const absl::StatusOr<std::string> seen = LookAt(input, timeout);
    result.all_there = result.all_there && seen.ok();
    absl::StrAppend(&result.text, "input ", input.name, ": ",
                    seen.ok() ? *seen : std::string(seen.status().message()), "\n");
  }
  return result;
}

}  // namespace tocsin
