// A sink: builds the requests that notify one kind of receiver of an incident.
//
//   SinkRequest request = sink.Render(delivery);           // pure: no I/O
//   … the engine's deliverer sends it …
//   SendOutcome outcome = sink.Judge(reply);               // delivered, retry or refused
//   … if the reply was lost: sink.RenderLookUp(delivery), sink.Found(delivery, reply) …
//
// A kind of sink only knows its wire format. The outbox and the deliverer send, retry and store.
// Immutable, thread-safe. Secrets are read at construction from a file or the environment and
// appear only in the request.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/node.h"
#include "core/delivery.h"
#include "core/limits.h"
#include "sinks/message_templates.h"

namespace tocsin {

struct SinkRequest {
  enum class Kind : std::uint8_t {
    kHttp,
    kMail,    // `body` is a message (RFC 5322), `url` an SMTP server
    kKafka,   // `body` is the value of a record with these headers, `url` the brokers
    kStdout,  // `body` and a line feed go to standard output
    kFile,    // `body` and a line feed are appended to the file `url`
    kNone,    // nothing to send: counts as delivered
  };
  Kind kind = Kind::kHttp;
  std::string method = "POST";
  std::string url;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  struct Envelope {
    std::string from;
    std::vector<std::string> to;
    std::string user, password;  // empty: without authentication
    bool tls = true;             // STARTTLS where the URL is not smtps already
  };
  Envelope mail = {};
  struct Record {
    std::string topic, key;
    std::map<std::string, std::string> properties;  // librdkafka's
  };
  Record kafka = {};
  // Proxy and CA settings; filled in by Sink::RequestFor.
  TransportConfig transport = {};
  DurationUs timeout = 10 * kSecondUs;  // of the whole exchange
  // How much of the reply's body is kept.
  std::size_t reply_bytes_max = limits::kHttpReplyBytesMax;
};

struct SinkReply {
  bool unsent = false;  // there was nothing to send (SinkRequest::Kind::kNone)
  // 0: no answer (connection refused, time-out, reset); `error` says which. For mail it is the SMTP
  // reply code. For a file or stdout it is 200 when the line was written, else 0.
  int status = 0;
  std::string error;
  std::string body;                  // cut at SinkRequest::reply_bytes_max
  std::int64_t retry_after_ms = -1;  // from Retry-After; −1: none
};

enum class SendOutcome : std::uint8_t { kDelivered, kRetry, kRefused };

// The receiver's answer to whether it has received a delivery.
struct SinkLookUp {
  enum class Answer : std::uint8_t {
    kUnreadable,  // a proxy's page, a truncated reply: ask again
    kUnknown,     // the receiver cannot tell
    kMissing,
    kArrived
  };
  Answer answer = Answer::kUnreadable;
  std::string receipt;  // what ReceiptOf would have returned
};

class Sink {
 public:
  virtual ~Sink() = default;
  const std::string& name() const { return name_; }
  const std::string& kind() const { return kind_; }
  // Whether it pages people; see RouteConfig.
  virtual bool pages() const { return false; }
  // Whether customers read it.
  virtual bool is_public() const { return false; }
  // Whether it handles this action. Kinds that handle kRefresh or kChange override this.
  virtual bool Wants(NotificationAction action) const {
    return action <= NotificationAction::kUpdate;
  }
  // Whether the receiver recognises a repeat by its key.
  virtual bool has_idempotency_key() const { return false; }
  // The interval at which triggers of open incidents are sent again, for a receiver that forgets
  // them; 0: never.
  virtual DurationUs resend_every() const { return 0; }
  virtual SinkRequest Render(const Delivery& delivery) const = 0;
  // The request that asks the receiver whether `delivery` has arrived, after an attempt without a
  // reply. nullopt if the receiver cannot be asked, or a repeat does no harm.
  virtual std::optional<SinkRequest> RenderLookUp(const Delivery& delivery) const {
    (void)delivery;
    return std::nullopt;
  }
  // Reads the reply to RenderLookUp's request. REQUIRES: its status is 2xx.
  virtual SinkLookUp Found(const Delivery& delivery, const SinkReply& reply) const {
    (void)delivery, (void)reply;
    return {};
  }
  // The requests of Render and RenderLookUp with the stanza's transport settings, ready to be sent.
  SinkRequest RequestFor(const Delivery& delivery) const { return OnItsWay(Render(delivery)); }
  SinkRequest LookUpFor(const Delivery& delivery) const {
    return OnItsWay(RenderLookUp(delivery).value_or(SinkRequest()));
  }
  // The id of the created message or ticket, from a successful reply. Later deliveries of the
  // incident get it as Delivery::receipt. At most limits::kReceiptBytesMax.
  virtual std::string ReceiptOf(const SinkReply& reply) const {
    (void)reply;
    return "";
  }
  // The outcome of a delivery with this reply.
  SendOutcome Judge(const SinkReply& reply) const {
    return reply.unsent ? SendOutcome::kDelivered : JudgeAnswer(reply);
  }
  // The protocol of its reply codes, for Describe.
  virtual std::string_view protocol() const { return "HTTP"; }
  // A failed reply in one short line: "HTTP 400: …". This sink's secrets are removed, in case the
  // receiver repeats them.
  std::string Describe(const SinkReply& reply) const;

  // REQUIRES: made by NewSink.
  const MessageTemplates& templates() const { return *templates_; }
  // The sink that gets the triggers which this one refused for good; "" if there is none.
  const std::string& fallback() const { return fallback_; }
  // Minimum time between two requests (the receiver's rate limit); 0: as fast as it answers.
  DurationUs pace() const { return pace_; }
  // Whether its output stays on this machine.
  bool local() const { return local_; }
  // Whether deliveries are recorded but not sent (`mode: shadow`). Never true for local sinks.
  bool withheld() const { return withheld_; }

 protected:
  // The default: 2xx is delivered; 429, 5xx and no answer are retried; everything else is refused.
  virtual SendOutcome JudgeAnswer(const SinkReply& reply) const;
  Sink(std::string name, std::string kind) : name_(std::move(name)), kind_(std::move(kind)) {}
  // A string that Describe removes from replies. Call only from constructors.
  void AddSecret(std::string secret) { secrets_.push_back(std::move(secret)); }

 private:
  friend std::unique_ptr<Sink> NewSink(const SinkConfig& stanza,
                                       std::shared_ptr<const MessageTemplates> templates,
                                       ErrorList* errors);
  friend std::vector<std::unique_ptr<Sink>> NewSinks(const Config& config, ErrorList* errors);

  SinkRequest OnItsWay(SinkRequest request) const {
    request.transport = transport_;
    return request;
  }

  std::string name_;
  std::string kind_;
  std::string fallback_;
  DurationUs pace_ = 0;
  bool local_ = false;
  bool withheld_ = false;
  TransportConfig transport_;
  std::shared_ptr<const MessageTemplates> templates_;  // shared by all sinks without their own
  std::vector<std::string> secrets_;
};

// Defined in registry.cc, which has the explicit table of kinds. Returns nullptr and adds errors
// when the kind is unknown or the stanza is invalid. Every stanza may have `fallback: NAME`,
// another sink of the configuration; sinks that are not local `requests_per_minute`, those that use
// libcurl `ca_file` and `proxy`, and those that send messages `templates`.
std::unique_ptr<Sink> NewSink(const SinkConfig& stanza,
                              std::shared_ptr<const MessageTemplates> templates, ErrorList* errors);
// The sinks of all valid stanzas of a configuration; errors are collected over all stanzas.
std::vector<std::unique_ptr<Sink>> NewSinks(const Config& config, ErrorList* errors);
std::vector<std::string> SinkKinds();

}  // namespace tocsin
