// A ticket an incident: what the kinds of trackers have in common.
//
//   class GithubSink final : public TicketSink { … Open, Comment, Close, Escape … };
//
// The first trigger opens a ticket with the message `declared`; a rise, an acknowledgement and a
// reminder are comments on it, and so is the end, which closes it. The receipt is what the tracker
// calls the ticket. There is nothing by which a tracker could recognise a repeat: what is posted
// carries a mark, by which it is looked for before it would be posted again, and where the tracker
// cannot tell, the repeat says that it may be one. Immutable, thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sinks/sink.h"

namespace tocsin {

// Markdown with neither markup nor HTML, and nobody is mentioned who happens to be named in a log
// line. Lines stay lines.
std::string EscapeMarkdown(const std::string& text);
std::string MarkdownLines(const std::string& text);

class TicketSink : public Sink {
 public:
  SinkRequest Render(const Delivery& delivery) const final;
  std::optional<SinkRequest> RenderLookUp(const Delivery& delivery) const final;

 protected:
  using Sink::Sink;

  // A text of an event in the tracker's markup, so that it looks as it is.
  virtual std::string Escape(const std::string& text) const = 0;
  // What the tracker takes of a title.
  virtual std::size_t title_bytes_max() const = 0;
  // The requests, without time-out. `title` and `text` are escaped and cut, `ticket` is a receipt,
  // `mark` a word that readers do not see.
  virtual SinkRequest Open(const std::string& title, const std::string& text,
                           const std::string& mark) const = 0;
  virtual SinkRequest Comment(const std::string& ticket, const std::string& text,
                              const std::string& mark) const = 0;
  // `declared` is what the ticket said when it was opened, with what is known now.
  virtual SinkRequest Close(const std::string& ticket, const std::string& text,
                            const std::string& declared) const = 0;
  // Where something with the mark would be: the ticket, and a comment on one.
  virtual SinkRequest FindTicket(const std::string& mark) const = 0;
  virtual SinkRequest FindComment(const std::string& ticket) const = 0;
  // Whether `ticket` is closed; nullopt where closing it twice does no harm.
  virtual std::optional<SinkRequest> FindEnd(const std::string& ticket) const {
    (void)ticket;
    return std::nullopt;
  }
  virtual DurationUs timeout() const = 0;

  static std::string MarkOf(const Delivery& delivery);
  // Of a reply that is a list of things with a text in `field`: the one that shows the mark, with
  // what it has in `number` as receipt. A list of kFoundMax may have left it out.
  static constexpr int kFoundMax = 50;
  static SinkLookUp FindMarked(const SinkReply& reply, const std::string& mark,
                               std::string_view field, std::string_view number);
};

}  // namespace tocsin
