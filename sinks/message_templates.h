// Messages from Mustache templates: our own, and those that a configuration puts in their place.
//
//   const MessageTemplates templates = ReadMessageTemplates(config.templates, &errors);
//   std::string text = templates.Render(MessageAudience::kPublic, StageOf(incident), incident);
//
//   templates:
//     public_names: {orders-db: Checkout}
//     internal: {declared: "{{severity}} {{number}}: {{title}}", resolved: {file: resolved.mustache}}
//
// https://mustache.github.io/mustache.5.html without partials, other delimiters and unescaped
// values: a value is never part of a template, and is always escaped for where it goes. Fields are
// those of sinks/message.h; a template that names another is refused when it is loaded. Limits: a
// template has 64 KiB. Immutable once read, thread-safe.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "config/node.h"
#include "sinks/message.h"

namespace tocsin {

class MessageTemplates {
 public:
  // Makes one line of plain text fit for where the message goes; nothing is done without.
  using Escape = std::function<std::string(const std::string&)>;

  MessageTemplates();  // ours

  std::string Render(MessageAudience audience, MessageStage stage, const Incident& incident,
                     const Escape& escape = nullptr) const;
  const std::string& Text(MessageAudience audience, MessageStage stage) const {
    return texts_[static_cast<std::size_t>(audience)][static_cast<std::size_t>(stage)];
  }
  // "public.resolved": those that are not ours, sorted.
  std::vector<std::string> Replaced() const;

 private:
  friend MessageTemplates ReadMessageTemplates(const ConfigNode& node, ErrorList* errors);

  std::array<std::array<std::string, std::size(kMessageStages)>, std::size(kMessageAudiences)>
      texts_;
  std::map<std::string, std::string> public_names_;
};

// InvalidArgument says what is wrong with a template, at which character, and what there is
// instead.
absl::Status CheckTemplate(const std::string& text);

// The stanza `templates`, where there is one. A file's path is relative to the configuration's.
MessageTemplates ReadMessageTemplates(const ConfigNode& node, ErrorList* errors);

}  // namespace tocsin
