// Appends one line per delivery to a file: a record that needs no external service.
//
//   - {name: record, kind: file, path: /var/log/tocsin/deliveries.jsonl}
//
// Keys: path (its directory must exist), format, `json` (default; the webhook's body) or `text`.
// The file is opened for each line, so that it may be rotated at any time. A line counts as
// delivered once it is on disk.
#include "sinks/delivery_line.h"
#include "sinks/sink.h"

namespace tocsin {
namespace {

class FileSink final : public Sink {
 public:
  FileSink(std::string name, std::string path, LineFormat format)
      : Sink(std::move(name), "file"), path_(std::move(path)), format_(format) {}

  SinkRequest Render(const Delivery& delivery) const override {
    SinkRequest request;
    request.kind = SinkRequest::Kind::kFile;
    request.url = path_;
    request.body = DeliveryLine(delivery, format_);
    return request;
  }

 private:
  const std::string path_;
  const LineFormat format_;
};

}  // namespace

std::unique_ptr<Sink> NewFileSink(const std::string& name, ConfigReader* reader) {
  std::string path = reader->String("path");
  if (path.empty() && reader->Sound("path")) {
    reader->Missing("path", "path: expected the file to append to");
  }
  const LineFormat format = ReadLineFormat(reader);
  return std::make_unique<FileSink>(name, std::move(path), format);
}

}  // namespace tocsin
