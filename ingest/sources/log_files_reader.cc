// Reads the files of one log in order, as if they were one file.

#include <utility>

#include "core/status_macros.h"
#include "ingest/sources/file_source.h"
#include "ingest/sources/rotation.h"

namespace tocsin {
namespace {

class LogFilesReader final : public LineReader {
 public:
  explicit LogFilesReader(std::vector<std::unique_ptr<LineReader>> readers)
      : readers_(std::move(readers)) {}

  Result Next(Line* line) override {
    for (;;) {
      const Result result = readers_[current_]->Next(line);
      if (result == Result::kLine) {
        end_ = begin_ + line->next_offset;
        line->offset += begin_;
        line->next_offset = end_;
      }
      if (result != Result::kEnd || current_ + 1 == readers_.size()) return result;
      ++current_;
      begin_ = end_;
    }
  }

  absl::Status status() const override { return readers_[current_]->status(); }
  std::uint64_t bytes_read() const override { return Sum(&LineReader::bytes_read); }
  std::uint64_t bytes_total() const override { return Sum(&LineReader::bytes_total); }

 private:
  std::uint64_t Sum(std::uint64_t (LineReader::*of)() const) const {
    std::uint64_t sum = 0;
    for (const std::unique_ptr<LineReader>& reader : readers_) sum += (reader.get()->*of)();
    return sum;
  }

  const std::vector<std::unique_ptr<LineReader>> readers_;
  std::size_t current_ = 0;
  std::uint64_t begin_ = 0, end_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LineReader>> OpenLogFiles(const LogFiles& log,
                                                         const LineReader::Options& options) {
  if (log.older.empty()) return OpenLineReader(log.path, options);
  std::vector<std::string> paths = log.older;
  paths.push_back(log.path);
  std::vector<std::unique_ptr<LineReader>> readers;
  for (const std::string& path : paths) {
    TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<LineReader> reader, OpenLineReader(path, options));
    readers.push_back(std::move(reader));
  }
  return std::make_unique<LogFilesReader>(std::move(readers));
}

}  // namespace tocsin
