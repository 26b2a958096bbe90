// A ticket an incident: what the kinds of trackers have in common.
//
//   class GithubSink final : public TicketSink { … Open, Comment, Close, Escape … };
//
// The first trigger opens a ticket with the message `declared`; a rise, an acknowledgement and a
// reminder are comments on it, and so is the end, which closes it. The receipt is what the tracker
// calls the ticket. There is nothing by which a tracker could recognise a repeat, so what may have
// been posted before says so. Immutable, thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sinks/sink.h"

namespace tocsin {

// Markdown with neither markup nor HTML, and nobody is mentioned who happens to be named in a log
// line. Lines stay lines.
std::string EscapeMarkdown(const std::string& text);
std::string MarkdownLines(const std::string& text);

class TicketSink : public Sink {
 public:
  bool Wants(NotificationAction) const override { return true; }
  SinkRequest Render(const Delivery& delivery) const final;

 protected:
  using Sink::Sink;

  // A text of an event in the tracker's markup, so that it looks as it is.
  virtual std::string Escape(const std::string& text) const = 0;
  // What the tracker takes of a title.
  virtual std::size_t title_bytes_max() const = 0;
  // The requests, without time-out. `title` and `text` are escaped and cut, `ticket` is a receipt.
  virtual SinkRequest Open(const std::string& title, const std::string& text) const = 0;
  virtual SinkRequest Comment(const std::string& ticket, const std::string& text) const = 0;
  // `declared` is what the ticket said when it was opened, with what is known now.
  virtual SinkRequest Close(const std::string& ticket, const std::string& text,
                            const std::string& declared) const = 0;
  virtual DurationUs timeout() const = 0;
};

}  // namespace tocsin
