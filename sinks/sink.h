// A sink: how one kind of receiver is told about an incident.
//
//   SinkRequest request = sink.Render(delivery);           // pure: no I/O
//   … the engine's deliverer sends it …
//   SendOutcome outcome = sink.Judge(reply);               // what the reply means
//   … where the reply was lost: sink.RenderLookUp(delivery), sink.Found(delivery, reply) …
//
// A kind only knows its wire format. Sending, retrying and remembering are the outbox's and the
// deliverer's. Immutable, thread-safe. Secrets are read at construction from a file or the
// environment and appear in nothing but the request.
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
  // How it gets there; filled in by Sink::RequestFor.
  TransportConfig transport = {};
  DurationUs timeout = 10 * kSecondUs;  // of the whole exchange
  // What is kept of the reply's body.
  std::size_t reply_bytes_max = limits::kHttpReplyBytesMax;
};

struct SinkReply {
  bool unsent = false;  // there was nothing to send (SinkRequest::Kind::kNone)
  // 0: no answer (connection refused, time-out, reset); `error` says which. A mail's is the reply
  // code of SMTP. A line that was written answers 200, one that was not 0.
  int status = 0;
  std::string error;
  std::string body;                  // cut at limits::kHttpReplyBytesMax
  std::int64_t retry_after_ms = -1;  // from Retry-After; −1: none
};

enum class SendOutcome : std::uint8_t { kDelivered, kRetry, kRefused };

// Whether something arrived, as its receiver knows.
struct SinkLookUp {
  enum class Answer : std::uint8_t {
    kUnreadable,  // a proxy's page, a reply that was cut: to be asked again
    kUnknown,     // nobody can tell
    kMissing,
    kArrived
  };
  Answer answer = Answer::kUnreadable;
  std::string receipt;  // what ReceiptOf would have said
};

class Sink {
 public:
  virtual ~Sink() = default;
  const std::string& name() const { return name_; }
  const std::string& kind() const { return kind_; }
  // Whether it wakes people; see RouteConfig.
  virtual bool pages() const { return false; }
  // Whether customers read it.
  virtual bool is_public() const { return false; }
  // Whether it wants this action at all. What few do (kRefresh, kChange) they say.
  virtual bool Wants(NotificationAction action) const {
    return action <= NotificationAction::kUpdate;
  }
  // A repeat with the same key is recognised by the receiver.
  virtual bool has_idempotency_key() const { return false; }
  // How often it wants to hear again of what is not over, since it forgets; 0: never.
  virtual DurationUs resend_every() const { return 0; }
  virtual SinkRequest Render(const Delivery& delivery) const = 0;
  // Asks the receiver whether `delivery`, of which an attempt had no reply, has arrived. nullopt
  // where nothing can be asked, or need not be, since a repeat does no harm.
  virtual std::optional<SinkRequest> RenderLookUp(const Delivery& delivery) const {
    (void)delivery;
    return std::nullopt;
  }
  // What the reply to that says. REQUIRES: its status is 2xx.
  virtual SinkLookUp Found(const Delivery& delivery, const SinkReply& reply) const {
    (void)delivery, (void)reply;
    return {};
  }
  // What either says, on the way that the stanza says: what is sent.
  SinkRequest RequestFor(const Delivery& delivery) const { return OnItsWay(Render(delivery)); }
  SinkRequest LookUpFor(const Delivery& delivery) const {
    return OnItsWay(RenderLookUp(delivery).value_or(SinkRequest()));
  }
  // What to remember of a reply that was a success, for whatever follows about this incident
  // (Delivery::receipt): a message's or ticket's id. At most limits::kReceiptBytesMax.
  virtual std::string ReceiptOf(const SinkReply& reply) const {
    (void)reply;
    return "";
  }
  // What a reply means for its delivery.
  SendOutcome Judge(const SinkReply& reply) const {
    return reply.unsent ? SendOutcome::kDelivered : JudgeAnswer(reply);
  }
  // Whose reply codes it gets, for Describe.
  virtual std::string_view protocol() const { return "HTTP"; }
  // A reply that was no success, in one short line: "HTTP 400: …". Without this sink's secrets,
  // even if the receiver repeats them.
  std::string Describe(const SinkReply& reply) const;

  // What people are told in words. REQUIRES: made by NewSink.
  const MessageTemplates& templates() const { return *templates_; }
  // The sink that hears of a page which this one refused for good; "" if there is none.
  const std::string& fallback() const { return fallback_; }
  // Least time between two requests, of what its receiver bears over time; 0: as fast as it answers.
  DurationUs pace() const { return pace_; }
  // Whether what it is told stays on this machine.
  bool local() const { return local_; }
  // Whether what it would be told is only recorded: `mode: shadow`, which local sinks do not mind.
  bool withheld() const { return withheld_; }

 protected:
  // 2xx delivered; 429, 5xx and no answer retry; other refused, unless the kind knows better.
  virtual SendOutcome JudgeAnswer(const SinkReply& reply) const;
  Sink(std::string name, std::string kind) : name_(std::move(name)), kind_(std::move(kind)) {}
  // What Describe takes out of a reply. Called by constructors only.
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
  std::shared_ptr<const MessageTemplates> templates_;  // of all sinks of a configuration
  std::vector<std::string> secrets_;
};

// registry.cc: the explicit table of kinds. nullptr with errors when the kind is unknown or the
// stanza is wrong. Every stanza may have `fallback: NAME`, another sink of the configuration,
// those that leave the machine `requests_per_minute`, by libcurl `ca_file` and `proxy`, and those
// that use words `templates` of their own.
std::unique_ptr<Sink> NewSink(const SinkConfig& stanza,
                              std::shared_ptr<const MessageTemplates> templates, ErrorList* errors);
// All of a configuration's that are right; errors are collected over all stanzas.
std::vector<std::unique_ptr<Sink>> NewSinks(const Config& config, ErrorList* errors);
std::vector<std::string> SinkKinds();

}  // namespace tocsin
