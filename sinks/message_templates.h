// Messages from Mustache templates: our own, and those that a configuration puts in their place.
//
//   const MessageTemplates templates = ReadMessageTemplates(config.templates, &errors);
//   std::string text = templates.Render(MessageAudience::kPublic, StageOf(incident), incident);
//
//   templates:
//     public_names: {orders-db: Checkout}
//     internal: {declared: "{{severity}} {{number}}: {{title}}", resolved: {file: resolved.mustache}}
//     level: {1: {internal: {declared: "All hands: {{title}}"}}}
//
// A sink's stanza may have templates of its own, which come before those of the configuration, and
// what a level has before what all have.
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

// Makes one line of plain text fit for where it goes; nothing is done without.
using EscapeText = std::function<std::string(const std::string&)>;

// One template that CheckTemplate has passed, filled in.
std::string RenderTemplate(const std::string& text, const MessageFields& fields,
                           const EscapeText& escape = nullptr);

class MessageTemplates {
 public:
  MessageTemplates();  // ours

  std::string Render(MessageAudience audience, MessageStage stage, const Incident& incident,
                     const EscapeText& escape = nullptr) const;
  // `level` is 1 to 4, or 0 for what holds where a level has nothing of its own.
  const std::string& Text(MessageAudience audience, MessageStage stage, int level = 0) const;
  // "public.resolved", "level 1 public.resolved": those that are not ours, sorted.
  std::vector<std::string> Replaced() const;

 private:
  friend MessageTemplates ReadMessageTemplates(const ConfigNode& node, ErrorList* errors,
                                               const MessageTemplates& base);

  static constexpr int kLevels = 4;
  std::string& At(MessageAudience audience, MessageStage stage, int level) {
    return texts_[static_cast<std::size_t>(level)][static_cast<std::size_t>(audience)]
                 [static_cast<std::size_t>(stage)];
  }
  void ReadAudiences(int level, ConfigReader* reader, ErrorList* errors);

  // By level, 0 for all; empty where a level has nothing of its own.
  std::array<
      std::array<std::array<std::string, std::size(kMessageStages)>, std::size(kMessageAudiences)>,
      1 + kLevels>
      texts_;
  std::map<std::string, std::string> public_names_;
};

// InvalidArgument says what is wrong with a template, at which character, and what there is
// instead.
absl::Status CheckTemplate(const std::string& text);

// The stanza `templates`, where there is one, on top of `base`. A file's path is relative to the
// configuration's.
MessageTemplates ReadMessageTemplates(const ConfigNode& node, ErrorList* errors,
                                      const MessageTemplates& base = MessageTemplates());

}  // namespace tocsin
