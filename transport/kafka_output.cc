#include "transport/kafka_output.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "ingest/sources/kafka_handles.h"

namespace tocsin {
namespace {

constexpr int kRefused = 400;

// Whether trying again would end the same.
bool IsRefusal(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
         error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
         error == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION || error == RD_KAFKA_RESP_ERR_INVALID_RECORD;
}

SinkReply ReplyTo(rd_kafka_resp_err_t error) {
  SinkReply reply;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    reply.status = 200;
  } else if (IsRefusal(error)) {
    reply.status = kRefused;
    reply.body = rd_kafka_err2str(error);
  } else {
    reply.error = rd_kafka_err2str(error);
  }
  return reply;
}

std::map<std::string, std::string> SettingsOf(const SinkRequest& request) {
  std::map<std::string, std::string> settings = {
      {"acks", "all"}, {"linger.ms", "0"}, {"client.id", "tocsin"}};
  for (const auto& [name, value] : request.kafka.properties) settings[name] = value;
  settings["bootstrap.servers"] = request.url;
  settings["enable.idempotence"] = "true";
  settings["message.timeout.ms"] =
      absl::StrCat(std::max<DurationUs>(1, request.timeout / kMillisecondUs));
  return settings;
}

}  // namespace

class KafkaOutput::Producer {
 public:
  Producer(const std::map<std::string, std::string>& settings, const std::function<void()>& wakeup)
      : wakeup_(wakeup) {
    if (const absl::Status made = Make(settings); !made.ok()) {
      fault_ = std::string(made.message());
      return;
    }
    events_.reset(rd_kafka_queue_get_main(handle_.get()));
    rd_kafka_queue_cb_event_enable(events_.get(), OnEvents, this);
  }
  ~Producer() {
    if (handle_ == nullptr) return;
    rd_kafka_queue_cb_event_enable(events_.get(), nullptr, nullptr);
    // Reports of what is given up free what they carry.
    rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(handle_.get(), 0);
  }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Why it can send nothing, whatever is done; else "".
  const std::string& fault() const { return fault_; }
  bool failed() const {
    std::array<char, 256> text{};
    return rd_kafka_fatal_error(handle_.get(), text.data(), text.size()) !=
           RD_KAFKA_RESP_ERR_NO_ERROR;
  }

  rd_kafka_resp_err_t Send(const Hash128& id, const SinkRequest& request) {
    rd_kafka_headers_t* headers = rd_kafka_headers_new(request.headers.size());
    for (const auto& [name, value] : request.headers) {
      rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                          static_cast<ssize_t>(value.size()));
    }
    auto carried = std::make_unique<Hash128>(id);
    // The library only reads the value: it copies it.
    void* const value = const_cast<char*>(request.body.data());
    const rd_kafka_resp_err_t error = rd_kafka_producev(
        handle_.get(), RD_KAFKA_V_TOPIC(request.kafka.topic.c_str()),
        RD_KAFKA_V_KEY(request.kafka.key.data(), request.kafka.key.size()),
        RD_KAFKA_V_VALUE(value, request.body.size()), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(carried.get()), RD_KAFKA_V_END);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      (void)carried.release();  // the report's
    } else {
      rd_kafka_headers_destroy(headers);
    }
    return error;
  }

  void Collect(std::vector<HttpClient::Reply>* replies) {
    if (handle_ == nullptr) return;
    collected_ = replies;
    rd_kafka_poll(handle_.get(), 0);
    collected_ = nullptr;
  }

 private:
  absl::Status Make(const std::map<std::string, std::string>& settings) {
    KafkaConf conf(rd_kafka_conf_new());
    for (const auto& [name, value] : settings) {
      TOCSIN_RETURN_IF_ERROR(SetKafkaProperty(conf.get(), name, value));
    }
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_dr_msg_cb(conf.get(), OnDelivered);
    TOCSIN_ASSIGN_OR_RETURN(handle_, NewKafkaClient(RD_KAFKA_PRODUCER, std::move(conf)));
    return absl::OkStatus();
  }

  static void OnEvents(rd_kafka_t*, void* self) { static_cast<Producer*>(self)->wakeup_(); }
  static void OnDelivered(rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
    const std::unique_ptr<Hash128> id(static_cast<Hash128*>(message->_private));
    auto* const replies = static_cast<Producer*>(self)->collected_;
    if (replies != nullptr) replies->push_back({.id = *id, .reply = ReplyTo(message->err)});
  }

  const std::function<void()>& wakeup_;
  std::string fault_;
  std::vector<HttpClient::Reply>* collected_ = nullptr;
  KafkaHandle handle_;
  KafkaQueue events_;  // goes first
};

KafkaOutput::KafkaOutput(std::function<void()> wakeup) : wakeup_(std::move(wakeup)) {}
KafkaOutput::~KafkaOutput() = default;

void KafkaOutput::Send(const Hash128& id, const SinkRequest& request) {
  const std::map<std::string, std::string> settings = SettingsOf(request);
  std::string name;
  for (const auto& [key, value] : settings) absl::StrAppend(&name, key, "=", value, "\n");
  std::unique_ptr<Producer>& producer = producers_[name];
  if (producer == nullptr || !producer->fault().empty() || producer->failed()) {
    producer.reset();
    producer = std::make_unique<Producer>(settings, wakeup_);
  }
  SinkReply reply;
  if (!producer->fault().empty()) {
    reply.status = kRefused;
    reply.body = producer->fault();
  } else if (const rd_kafka_resp_err_t error = producer->Send(id, request);
             error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    reply = ReplyTo(error);
  } else {
    return;
  }
  failed_.push_back({.id = id, .reply = std::move(reply)});
  wakeup_();
}

void KafkaOutput::Collect(std::vector<HttpClient::Reply>* replies) {
  for (HttpClient::Reply& reply : std::exchange(failed_, {})) replies->push_back(std::move(reply));
  for (const auto& [name, producer] : producers_) producer->Collect(replies);
}

void KafkaOutput::CancelAll() {
  producers_.clear();
  failed_.clear();
}

}  // namespace tocsin
