#include "demo/demo_kafka.h"

#include <librdkafka/rdkafka.h>
// The mock cluster's header needs the other one first.
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

absl::Status Failed(std::string_view what, std::string_view why) {
  return absl::UnavailableError(
      absl::StrCat("the demo's Kafka: ", ToAbsl(what), ": ", ToAbsl(why)));
}

struct ConfDeleter {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};

}  // namespace

class DemoKafka::Impl {
 public:
  ~Impl() {
    // The mock cluster belongs to the handle and goes with it; what was not delivered may be lost.
    if (handle_ == nullptr) return;
    rd_kafka_purge(handle_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(handle_);
  }

  absl::Status Start(const std::vector<std::string>& topics, int partitions);

  std::string brokers() const {
    return rd_kafka_mock_cluster_bootstraps(rd_kafka_handle_mock_cluster(handle_));
  }
  absl::Status Produce(std::string_view topic, int partition, TimeUs time, std::string_view value);
  absl::Status Flush(absl::Duration timeout);

 private:
  static void OnDelivery(rd_kafka_t* handle, const rd_kafka_message_t* message, void* self);

  rd_kafka_t* handle_ = nullptr;
  std::string failure_;  // the first record that did not arrive
};

void DemoKafka::Impl::OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
  auto* impl = static_cast<Impl*>(self);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && impl->failure_.empty()) {
    impl->failure_ = rd_kafka_err2str(message->err);
  }
}

absl::Status DemoKafka::Impl::Start(const std::vector<std::string>& topics, int partitions) {
  constexpr std::array<std::pair<const char*, const char*>, 5> kProperties = {{
      {"test.mock.num.brokers", "1"},
      // The broker keeps what it is sent, so compressed records reach its 5 MiB five times later.
      {"compression.type", "lz4"},
      {"linger.ms", "20"},
      {"enable.idempotence", "true"},  // keeps the order
      // It would tell at length that it is a mock.
      {"log_level", "2"},
  }};
  std::array<char, 256> error{};
  std::unique_ptr<rd_kafka_conf_t, ConfDeleter> conf(rd_kafka_conf_new());
  for (const auto& [name, value] : kProperties) {
    if (rd_kafka_conf_set(conf.get(), name, value, error.data(), error.size()) !=
        RD_KAFKA_CONF_OK) {
      return Failed(name, error.data());
    }
  }
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_dr_msg_cb(conf.get(), &Impl::OnDelivery);
  handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), error.data(), error.size());
  if (handle_ == nullptr) return Failed("cannot start", error.data());
  static_cast<void>(conf.release());  // the handle owns it now
  for (const std::string& topic : topics) {
    const rd_kafka_resp_err_t created = rd_kafka_mock_topic_create(
        rd_kafka_handle_mock_cluster(handle_), topic.c_str(), partitions, 1);
    if (created != RD_KAFKA_RESP_ERR_NO_ERROR) return Failed(topic, rd_kafka_err2str(created));
  }
  return absl::OkStatus();
}

absl::Status DemoKafka::Impl::Produce(std::string_view topic, int partition, TimeUs time,
                                      std::string_view value) {
  constexpr int kWaitMs = 50;
  const std::string name(topic);
  for (;;) {
    // The value is copied, hence the cast.
    const rd_kafka_resp_err_t produced = rd_kafka_producev(
        handle_, RD_KAFKA_V_TOPIC(name.c_str()), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(time / kMillisecondUs),
        RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()), RD_KAFKA_V_END);
    rd_kafka_poll(handle_, produced == RD_KAFKA_RESP_ERR__QUEUE_FULL ? kWaitMs : 0);
    if (!failure_.empty()) return Failed("a record did not arrive", failure_);
    if (produced == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
    if (produced != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      return Failed("cannot produce", rd_kafka_err2str(produced));
    }
  }
}

absl::Status DemoKafka::Impl::Flush(absl::Duration timeout) {
  const rd_kafka_resp_err_t flushed =
      rd_kafka_flush(handle_, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  if (!failure_.empty()) return Failed("a record did not arrive", failure_);
  if (flushed != RD_KAFKA_RESP_ERR_NO_ERROR) return Failed("flush", rd_kafka_err2str(flushed));
  return absl::OkStatus();
}

DemoKafka::DemoKafka(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DemoKafka::~DemoKafka() = default;

absl::StatusOr<std::unique_ptr<DemoKafka>> DemoKafka::New(const std::vector<std::string>& topics,
                                                          int partitions) {
  auto impl = std::make_unique<Impl>();
  const absl::Status started = impl->Start(topics, partitions);
  if (!started.ok()) return started;
  return std::unique_ptr<DemoKafka>(new DemoKafka(std::move(impl)));
}

std::string DemoKafka::brokers() const { return impl_->brokers(); }

absl::Status DemoKafka::Produce(std::string_view topic, int partition, TimeUs time,
                                std::string_view value) {
  return impl_->Produce(topic, partition, time, value);
}

absl::Status DemoKafka::Flush(absl::Duration timeout) { return impl_->Flush(timeout); }

}  // namespace tocsin
