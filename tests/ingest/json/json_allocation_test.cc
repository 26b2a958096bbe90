// The hot path allocates nothing once its buffers have grown.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/ingest/allocation_counter.h"
#include "tests/ingest/recording_sink.h"

namespace tocsin {
namespace {

class CountingSink final : public EventSink {
 public:
  void OnEvent(const Event&) override { ++events; }
  void OnUndecodable(std::string_view, std::string_view) override { ++undecodable; }
  int events = 0;
  int undecodable = 0;
};

TEST(JsonAllocation, NonePerRecord) {
  const std::string event =
      R"({"time":1767225600123,"type":"request","service":"a\n","endpoint":"/orders/42",)"
      R"("status":"200","duration_ms":1.5,"labels":{"a":"b"},"user":{"id":5},"other":[{"x":1}]})";
  const std::vector<std::string> records = {
      event,
      event + "\n" + event + "\n",
      "[" + event + "," + event + "]",
      "[" + event + ",{\"status\":[]}," + event + ",",
      "{\"value\":NaN}",
      "",
      "{\"service\":\"\xFF\"}",
      "[{\"message\":\"" + std::string(100'000, 'x') + "\"}]",
  };
  const std::unique_ptr<Decoder> decoder = JsonDecoderFor();
  CountingSink sink;
  const auto decode_all = [&] {
    for (const std::string& record : records) decoder->Decode(record, kSecondUs, &sink);
  };
  decode_all();
  ASSERT_EQ(sink.events, 8);
  ASSERT_EQ(sink.undecodable, 5);
  const long before = Allocations();
  for (int i = 0; i < 100; ++i) decode_all();
  EXPECT_EQ(Allocations() - before, 0);
}

}  // namespace
}  // namespace tocsin
