// Slack: an incoming webhook, or chat.postMessage with a bot's token.
//
//   - {name: ops, kind: slack, url_file: /run/secrets/slack-webhook}
//   - {name: ops, kind: slack, token_env: SLACK_TOKEN, channel: C0123456789}
//
// Keys: url_file or url_env (the webhook's URL is a secret), or token_file or token_env with
// `channel` and optionally api_url; timeout. With a token, all messages of an incident are in the
// thread of its first message, which is edited to show the current state; rises and the resolve are
// shown in the channel, too. Messages use the `internal` templates (sinks/message.h). Slack has no
// idempotency key. With a token, a message's metadata holds the delivery's id, which is searched
// for before the message is repeated. If the search cannot tell, the message says that it may be a
// repeat.
// https://docs.slack.dev/reference/methods/chat.postmessage, …/chat.update, …/conversations.history
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

// Slack allows 3,000 characters in a section, which are never more than its bytes.
constexpr std::size_t kSectionBytesMax = 2900;
constexpr std::size_t kTextBytesMax = 300;  // what a notification on a phone shows

// A reply contains the message and can only be parsed as a whole; a list contains many messages.
constexpr std::size_t kReplyBytesMax = 64 << 10;
constexpr std::size_t kListBytesMax = 4 << 20;
constexpr int kListMax = 100;

constexpr std::string_view kChannelCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
constexpr std::string_view kPost = "chat.postMessage";

namespace dom = simdjson::dom;

// Where a message is: "C0123456789/1503435956.000247" (channel and timestamp), or only the
// timestamp if the reply named no channel.
struct Place {
  std::string channel, time;
};

Place PlaceOf(const std::string& receipt, const std::string& channel) {
  const std::size_t slash = receipt.find('/');
  if (slash == std::string::npos) return {channel, receipt};
  return {receipt.substr(0, slash), receipt.substr(slash + 1)};
}

bool IsOf(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

// "" if the timestamp cannot be put into a URL; without the channel if only that cannot.
std::string ReceiptAt(std::string_view channel, std::string_view time) {
  if (!IsOf(time, "0123456789.")) return "";
  const bool named = IsOf(channel, kChannelCharacters);
  return named ? absl::StrCat(ToAbsl(channel), "/", ToAbsl(time)) : std::string(time);
}

// Escapes text, so that nothing from an event becomes a mention or a link.
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

  bool Wants(NotificationAction action) const override {
    return Sink::Wants(action) || (action == NotificationAction::kRefresh && HasMethods());
  }

  SinkRequest Render(const Delivery& delivery) const override {
    const absl::StatusOr<Incident> incident = ReadIncident(delivery.payload);
    std::string message = Mrkdwn("incident " + delivery.dedup_key) + "\n";
    bool over = false;
    if (incident.ok()) {
      const std::optional<MessageStage> stage = StageToShow(delivery, *incident);
      if (!stage) return Nothing();
      over = *stage == MessageStage::kResolved;
      message = templates().Render(MessageAudience::kInternal, *stage, *incident, Mrkdwn);
    }
    const bool refresh = delivery.action == NotificationAction::kRefresh;
    if (refresh && delivery.receipt.empty()) return Nothing();
    if (delivery.may_repeat && !refresh) message += "(may have been posted before)\n";
    SinkRequest request = Request(refresh ? MethodUrl("chat.update") : options_.url);
    request.body = Body(message, delivery, over);
    return request;
  }

  // Not for a refresh: repeating one does no harm.
  std::optional<SinkRequest> RenderLookUp(const Delivery& delivery) const override {
    const bool posted = Render(delivery).kind != SinkRequest::Kind::kNone;
    if (!HasMethods() || !posted || delivery.action == NotificationAction::kRefresh) {
      return std::nullopt;
    }
    const Place first = PlaceOf(delivery.receipt, options_.channel);
    const bool thread = !delivery.receipt.empty();
    SinkRequest request =
        Request(MethodUrl(thread ? "conversations.replies" : "conversations.history"));
    request.method = "GET";
    absl::StrAppend(&request.url, "?include_all_metadata=true&limit=", kListMax,
                    "&channel=", IsOf(first.channel, kChannelCharacters) ? first.channel : "");
    if (thread) absl::StrAppend(&request.url, "&ts=", first.time);
    request.reply_bytes_max = kListBytesMax;
    return request;
  }

  SinkLookUp Found(const Delivery& delivery, const SinkReply& reply) const override {
    dom::parser parser;
    dom::element answer;
    dom::array messages;
    if (parser.parse(reply.body).get(answer) != simdjson::SUCCESS ||
        answer["messages"].get(messages) != simdjson::SUCCESS) {
      return {};
    }
    for (const dom::element message : messages) {
      std::string_view id;
      std::string_view time;
      if (message["metadata"]["event_payload"]["delivery"].get(id) != simdjson::SUCCESS) continue;
      if (id != delivery.id.Hex() || message["ts"].get(time) != simdjson::SUCCESS) continue;
      return {SinkLookUp::Answer::kArrived, ReceiptAt(options_.channel, time)};
    }
    bool more = false;
    const bool all = answer["has_more"].get(more) != simdjson::SUCCESS || !more;
    return {all ? SinkLookUp::Answer::kMissing : SinkLookUp::Answer::kUnknown, ""};
  }

  std::string ReceiptOf(const SinkReply& reply) const override {
    dom::parser parser;
    dom::element answer;
    std::string_view channel;
    std::string_view posted;
    if (parser.parse(reply.body).get(answer) != simdjson::SUCCESS) return "";
    if (answer["channel"].get(channel) != simdjson::SUCCESS) channel = "";
    return answer["ts"].get(posted) == simdjson::SUCCESS ? ReceiptAt(channel, posted) : "";
  }

  // The API answers 200 even for errors, which are in the body; the webhook answers the text "ok".
  SendOutcome JudgeAnswer(const SinkReply& reply) const override {
    const SendOutcome outcome = Sink::JudgeAnswer(reply);
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
  static SinkRequest Nothing() {
    SinkRequest request;
    request.kind = SinkRequest::Kind::kNone;
    return request;
  }

  // A refresh shows the incident's current stage, but not as newly declared.
  static std::optional<MessageStage> StageToShow(const Delivery& delivery,
                                                 const Incident& incident) {
    if (delivery.action != NotificationAction::kRefresh) return StageToTell(delivery, incident);
    const MessageStage stage = StageOf(incident);
    return stage == MessageStage::kDeclared ? MessageStage::kUpdate : stage;
  }

  // Whether other methods of the API can be called, which an incoming webhook does not allow.
  bool HasMethods() const {
    return !options_.token.empty() && absl::EndsWith(options_.url, ToAbsl(kPost));
  }
  std::string MethodUrl(const char* method) const {
    return options_.url.substr(0, options_.url.size() - kPost.size()) + method;
  }

  SinkRequest Request(std::string url) const {
    SinkRequest request;
    request.url = std::move(url);
    request.timeout = options_.timeout;
    request.reply_bytes_max = kReplyBytesMax;
    request.headers = {{"Content-Type", "application/json; charset=utf-8"}};
    if (!options_.token.empty()) {
      request.headers.emplace_back("Authorization", "Bearer " + options_.token);
    }
    return request;
  }

  std::string Body(const std::string& message, const Delivery& delivery, bool over) const {
    const std::string first = message.substr(0, message.find('\n'));
    const Place place = PlaceOf(delivery.receipt, options_.channel);
    const bool refresh = delivery.action == NotificationAction::kRefresh;
    JsonWriter json;
    json.BeginObject();
    if (!options_.token.empty()) {
      json.Key("channel").String(place.channel);
      if (refresh) {
        json.Key("ts").String(place.time);
      } else if (!place.time.empty()) {
        json.Key("thread_ts").String(place.time);
        const bool raised = delivery.action == NotificationAction::kTrigger;
        if (over || raised) json.Key("reply_broadcast").Bool(true);
      }
    }
    // An update without metadata keeps the existing metadata.
    if (HasMethods() && !refresh) {
      json.Key("metadata").BeginObject();
      json.Key("event_type").String("tocsin_delivery");
      json.Key("event_payload").BeginObject();
      json.Key("delivery").String(delivery.id.Hex());
      json.EndObject();
      json.EndObject();
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
    const char* const expected =
        "a slack sink needs either the URL of an incoming webhook (url_file or url_env) or a bot's "
        "token (token_file or token_env) and a channel";
    by_token ? reader->Error("kind", expected) : reader->Missing("kind", expected);
  }
  options.token = ReadSecret("token", "a Slack bot's token (xoxb-…)", /*optional=*/true, reader);
  const std::string webhook =
      ReadSecret("url", "the URL of a Slack incoming webhook", /*optional=*/true, reader);
  if (by_token) {
    if (options.channel.empty() && reader->Sound("channel")) {
      reader->Missing("channel", "a slack sink with a token needs the channel to post to");
    }
    options.url = reader->String("api_url", "https://slack.com/api/chat.postMessage");
  } else {
    options.url = webhook;
    if (by_url && !options.channel.empty()) {
      reader->Error("channel", "channel: only allowed with a token; a webhook has a fixed channel");
    }
  }
  if (!options.url.empty() && !absl::StartsWith(options.url, "https://") &&
      !absl::StartsWith(options.url, "http://")) {
    // The message leaves out the URL, which is a secret.
    reader->Error("kind", "the URL of a slack sink does not begin with https://");
  }
  return std::make_unique<SlackSink>(name, std::move(options));
}

}  // namespace tocsin
