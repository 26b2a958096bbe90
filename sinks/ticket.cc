#include "sinks/ticket.h"

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "sinks/incident_line.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

// Every tracker accepts this: GitHub's limit is 65,536 characters, Jira's 32,767.
constexpr std::size_t kTextBytesMax = 30'000;

// A reply contains the ticket with its text and can only be parsed as a whole; a list contains many
// tickets.
constexpr std::size_t kReplyBytesMax = 512 << 10;
constexpr std::size_t kListBytesMax = 4 << 20;

}  // namespace

std::string EscapeMarkdown(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("\\`*_{}[]<>#|!~").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
    if (c == '@') escaped += "\u200B";
  }
  return escaped;
}

// Two trailing spaces are a hard line break; without them Markdown joins lines.
std::string MarkdownLines(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\n", "  \n"}});
}

SinkRequest TicketSink::Render(const Delivery& delivery) const {
  SinkRequest request;
  const absl::StatusOr<Incident> read = ReadIncident(delivery.payload);
  const Incident incident = read.ok() ? *read : Incident();
  const std::optional<MessageStage> stage = StageToTell(delivery, incident);
  const bool opened = !delivery.receipt.empty();
  // Without a ticket there is nothing to comment on or close.
  if (!stage || (delivery.action != NotificationAction::kTrigger && !opened)) {
    request.kind = SinkRequest::Kind::kNone;
    return request;
  }
  const auto message = [&](MessageStage of) {
    return templates().Render(MessageAudience::kInternal, of, incident,
                              [this](const std::string& text) { return Escape(text); });
  };
  std::string text =
      read.ok() ? message(*stage) : absl::StrCat("incident ", delivery.dedup_key, "\n");
  if (delivery.action == NotificationAction::kResolve) {
    request = Close(delivery.receipt, CutUtf8(text, kTextBytesMax),
                    CutUtf8(message(MessageStage::kDeclared), kTextBytesMax));
  } else {
    if (delivery.may_repeat) text += "(may have been posted before)\n";
    text = CutUtf8(text, kTextBytesMax);
    const std::string title =
        incident.title.empty()
            ? absl::StrCat("incident ", delivery.dedup_key)
            : absl::StrCat(incident.severity, " ", incident.number, ": ", incident.title);
    request = opened ? Comment(delivery.receipt, text, MarkOf(delivery))
                     : Open(OneLine(title, title_bytes_max()), text, MarkOf(delivery));
  }
  request.timeout = timeout();
  request.reply_bytes_max = kReplyBytesMax;
  return request;
}

std::optional<SinkRequest> TicketSink::RenderLookUp(const Delivery& delivery) const {
  const bool opened = !delivery.receipt.empty();
  std::optional<SinkRequest> request;
  if (delivery.action == NotificationAction::kResolve) {
    if (opened) request = FindEnd(delivery.receipt);
  } else if (opened) {
    request = FindComment(delivery.receipt);
  } else if (delivery.action == NotificationAction::kTrigger) {
    request = FindTicket(MarkOf(delivery));
  }
  if (!request) return request;
  request->method = "GET";
  request->timeout = timeout();
  request->reply_bytes_max = kListBytesMax;
  return request;
}

std::string TicketSink::MarkOf(const Delivery& delivery) {
  return absl::StrCat("tocsin-", delivery.id.Hex());
}

SinkLookUp TicketSink::FindMarked(const SinkReply& reply, const std::string& mark,
                                  std::string_view field, std::string_view number) {
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(reply.body).get(list) != simdjson::SUCCESS) return {};
  int size = 0;
  for (const simdjson::dom::element item : list) {
    ++size;
    std::string_view text;
    if (item[field].get(text) != simdjson::SUCCESS) continue;
    if (text.find(mark) == std::string_view::npos) continue;
    std::int64_t receipt = 0;
    const bool numbered = item[number].get(receipt) == simdjson::SUCCESS;
    return {SinkLookUp::Answer::kArrived, numbered ? absl::StrCat(receipt) : ""};
  }
  return {size < kFoundMax ? SinkLookUp::Answer::kMissing : SinkLookUp::Answer::kUnknown, ""};
}

}  // namespace tocsin
