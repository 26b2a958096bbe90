// The base of sinks that open one ticket per incident in an issue tracker.
//
//   class GithubSink final : public TicketSink { … Open, Comment, Close, Escape … };
//
// The first trigger opens a ticket with the message `declared`. A rise, an acknowledgement and a
// reminder are comments on it; the resolve closes it. The receipt is the tracker's id of the
// ticket. Trackers have no idempotency key, so each post carries a mark, which is searched for
// before the post is repeated. If the tracker cannot tell, the repeat says that it may be one.
// Immutable, thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sinks/sink.h"

namespace tocsin {

// Escapes markup, HTML and mentions, so that a name in a log line notifies nobody.
std::string EscapeMarkdown(const std::string& text);
// Turns line feeds into Markdown's hard line breaks.
std::string MarkdownLines(const std::string& text);

class TicketSink : public Sink {
 public:
  SinkRequest Render(const Delivery& delivery) const final;
  std::optional<SinkRequest> RenderLookUp(const Delivery& delivery) const final;

 protected:
  using Sink::Sink;

  // Escapes text from an event, so that the tracker's markup shows it literally.
  virtual std::string Escape(const std::string& text) const = 0;
  // The tracker's limit for a title.
  virtual std::size_t title_bytes_max() const = 0;
  // The requests, without time-out. `title` and `text` are escaped and cut, `ticket` is a receipt,
  // `mark` is one word that must not be visible to readers.
  virtual SinkRequest Open(const std::string& title, const std::string& text,
                           const std::string& mark) const = 0;
  virtual SinkRequest Comment(const std::string& ticket, const std::string& text,
                              const std::string& mark) const = 0;
  // `declared` is the message that opened the ticket, rendered with what is known now.
  virtual SinkRequest Close(const std::string& ticket, const std::string& text,
                            const std::string& declared) const = 0;
  // Requests that list where a mark would be: tickets, and the comments on one.
  virtual SinkRequest FindTicket(const std::string& mark) const = 0;
  virtual SinkRequest FindComment(const std::string& ticket) const = 0;
  // The request that asks whether `ticket` is closed; nullopt if closing it twice does no harm.
  virtual std::optional<SinkRequest> FindEnd(const std::string& ticket) const {
    (void)ticket;
    return std::nullopt;
  }
  virtual DurationUs timeout() const = 0;

  static std::string MarkOf(const Delivery& delivery);
  // Searches a reply, a JSON list of objects, for the one with the mark in its `field`; its
  // `number` is the receipt. Without a match in a list of kFoundMax objects the answer is kUnknown,
  // since the list may be incomplete.
  static constexpr int kFoundMax = 50;
  static SinkLookUp FindMarked(const SinkReply& reply, const std::string& mark,
                               std::string_view field, std::string_view number);
};

}  // namespace tocsin
