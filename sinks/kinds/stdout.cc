// Standard output, one line per delivery: for trials and for log shippers.
//
//   - {name: console, kind: stdout, format: text}
//
// Keys: format, `json` (default; the webhook's body) or `text`.
#include "sinks/delivery_line.h"
#include "sinks/sink.h"

namespace tocsin {
namespace {

class StdoutSink final : public Sink {
 public:
  StdoutSink(std::string name, LineFormat format)
      : Sink(std::move(name), "stdout"), format_(format) {}

  SinkRequest Render(const Delivery& delivery) const override {
    SinkRequest request;
    request.kind = SinkRequest::Kind::kStdout;
    request.body = DeliveryLine(delivery, format_);
    return request;
  }

 private:
  const LineFormat format_;
};

}  // namespace

std::unique_ptr<Sink> NewStdoutSink(const std::string& name, ConfigReader* reader) {
  return std::make_unique<StdoutSink>(name, ReadLineFormat(reader));
}

}  // namespace tocsin
