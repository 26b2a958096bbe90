// Slack: an incoming webhook, or chat.postMessage with a bot's token.
//
//   - {name: ops, kind: slack, url_file: /run/secrets/slack-webhook}
//   - {name: ops, kind: slack, token_env: SLACK_TOKEN, channel: C0123456789}
//
// Keys: url_file or url_env (the webhook's URL is a secret), or token_file or token_env with
// `channel`, and then api_url; timeout. With a token all about an incident is in the thread of its
// first message, and its end is shown in the channel too. Texts are those of sinks/message.h for
// `internal`. There is nothing that Slack could recognise a repeat by, so a message that may have
// been posted before says so. https://docs.slack.dev/reference/methods/chat.postmessage
#include <simdjson.h>

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/json_writer.h"
#include "core/string_hash.h"
#include "sinks/incident_line.h"
#include "sinks/sink.h"
#include "sinks/stanza.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

// A section's text may have 3,000 characters; bytes are never fewer.
constexpr std::size_t kSectionBytesMax = 2900;
constexpr std::size_t kTextBytesMax = 300;  // what a notification on a phone shows

// A reply repeats the message, and must be whole to be read.
constexpr std::size_t kReplyBytesMax = 64 << 10;

// Nothing that comes from an event may become a mention or a link.
std::string Mrkdwn(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

class SlackSink final : public Sink {
 public:
  struct Options {
    std::string url, token, channel;
    DurationUs timeout = 10 * kSecondUs;
  };

  SlackSink(std::string name, Options options)
      : Sink(std::move(name), "slack"), options_(std::move(options)) {
    AddSecret(options_.token.empty() ? options_.url : options_.token);
  }

  bool Wants(NotificationAction) const override { return true; }

  SinkRequest Render(const Delivery& delivery) const override {
    SinkRequest request;
    const absl::StatusOr<Incident> incident = ReadIncident(delivery.payload);
    std::string message = Mrkdwn("incident " + delivery.dedup_key) + "\n";
    bool over = false;
    if (incident.ok()) {
      const std::optional<MessageStage> stage = StageToTell(delivery, *incident);
      request.kind = stage ? SinkRequest::Kind::kHttp : SinkRequest::Kind::kNone;
      if (!stage) return request;
      over = *stage == MessageStage::kResolved;
      message = templates().Render(MessageAudience::kInternal, *stage, *incident, Mrkdwn);
    }
    if (delivery.attempts > 1) message += "(may have been posted before)\n";
    request.url = options_.url;
    request.timeout = options_.timeout;
    request.reply_bytes_max = kReplyBytesMax;
    request.headers = {{"Content-Type", "application/json; charset=utf-8"}};
    if (!options_.token.empty()) {
      request.headers.emplace_back("Authorization", "Bearer " + options_.token);
    }
    request.body = Body(message, delivery, over);
    return request;
  }

  std::string ReceiptOf(const SinkReply& reply) const override {
    simdjson::dom::parser parser;
    std::string_view posted;
    return parser.parse(reply.body)["ts"].get(posted) == simdjson::SUCCESS ? std::string(posted)
                                                                           : "";
  }

  // The API says 200 to everything; the webhook's answer is the text "ok".
  SendOutcome Judge(const SinkReply& reply) const override {
    const SendOutcome outcome = Sink::Judge(reply);
    if (options_.token.empty() || outcome != SendOutcome::kDelivered) return outcome;
    simdjson::dom::parser parser;
    simdjson::dom::element answer;
    bool ok = false;
    std::string_view error;
    if (parser.parse(reply.body).get(answer) != simdjson::SUCCESS ||
        answer["ok"].get(ok) != simdjson::SUCCESS) {
      return SendOutcome::kRetry;  // a proxy's page
    }
    if (ok) return SendOutcome::kDelivered;
    if (answer["error"].get(error) != simdjson::SUCCESS) return SendOutcome::kRetry;
    constexpr std::string_view kPassing[] = {"ratelimited",     "rate_limited",
                                             "internal_error",  "fatal_error",
                                             "request_timeout", "service_unavailable"};
    for (const std::string_view passing : kPassing) {
      if (error == passing) return SendOutcome::kRetry;
    }
    return SendOutcome::kRefused;
  }

 private:
  std::string Body(const std::string& message, const Delivery& delivery, bool over) const {
    const std::string first = message.substr(0, message.find('\n'));
    JsonWriter json;
    json.BeginObject();
    if (!options_.token.empty()) {
      json.Key("channel").String(options_.channel);
      if (!delivery.receipt.empty()) {
        json.Key("thread_ts").String(delivery.receipt);
        const bool raised = delivery.action == NotificationAction::kTrigger;
        if (over || raised) json.Key("reply_broadcast").Bool(true);
      }
    }
    json.Key("text").String(CutUtf8(first, kTextBytesMax));
    json.Key("blocks").BeginArray().BeginObject();
    json.Key("type").String("section");
    json.Key("text").BeginObject();
    json.Key("type").String("mrkdwn");
    json.Key("text").String(CutUtf8(message, kSectionBytesMax));
    json.EndObject();
    json.EndObject().EndArray();
    json.EndObject();
    return json.Take();
  }

  const Options options_;
};

}  // namespace

std::unique_ptr<Sink> NewSlackSink(const std::string& name, ConfigReader* reader) {
  SlackSink::Options options;
  options.channel = reader->String("channel");
  options.timeout = ReadTimeout(reader);
  const bool by_token = reader->Has("token_file") || reader->Has("token_env");
  const bool by_url = reader->Has("url_file") || reader->Has("url_env");
  if (by_token == by_url && reader->Node("token") == nullptr && reader->Node("url") == nullptr) {
    reader->Error("kind",
                  "a slack sink needs either the URL of an incoming webhook (url_file or url_env) "
                  "or a bot's token (token_file or token_env) and a channel");
    return nullptr;
  }
  options.token = ReadSecret("token", "a Slack bot's token (xoxb-…)", /*optional=*/true, reader);
  const std::string webhook =
      ReadSecret("url", "the URL of a Slack incoming webhook", /*optional=*/true, reader);
  if (by_token) {
    if (options.channel.empty()) {
      reader->Error("channel", "a slack sink with a token needs the channel to post to");
    }
    options.url = reader->String("api_url", "https://slack.com/api/chat.postMessage");
  } else {
    options.url = webhook;
    if (!options.channel.empty()) {
      reader->Error("channel", "channel: an incoming webhook has its own; only a token needs one");
    }
  }
  if (!options.url.empty() && !absl::StartsWith(options.url, "https://") &&
      !absl::StartsWith(options.url, "http://")) {
    // Not the text itself: it is a secret.
    reader->Error("kind", "the URL of a slack sink does not begin with https://");
  }
  return std::make_unique<SlackSink>(name, std::move(options));
}

}  // namespace tocsin
