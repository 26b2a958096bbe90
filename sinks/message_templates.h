// Renders messages from Mustache templates: the built-in ones, and those that a configuration
// replaces.
//
//   const MessageTemplates templates = ReadMessageTemplates(config.templates, &errors);
//   std::string text = templates.Render(MessageAudience::kPublic, StageOf(incident), incident);
//
//   templates:
//     public_names: {orders-db: Checkout}
//     internal:
//       declared: "{{severity}} {{number}}: {{title}}"
//       resolved: {file: resolved.mustache}
//     level: {1: {internal: {declared: "All hands: {{title}}"}}}
//
// Templates in a sink's stanza override those of the configuration. Within one of the two, a
// template for a level overrides the one for all levels.
//
// https://mustache.github.io/mustache.5.html without partials, set delimiters and unescaped values:
// values are never parsed as templates and are always escaped for their destination. Fields are
// those of sinks/message.h; a template with an unknown field is rejected when it is loaded. Limit:
// a template has at most 64 KiB. Immutable once read, thread-safe.
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

// Escapes one line of plain text for its destination. An empty function leaves text as it is.
using EscapeText = std::function<std::string(const std::string&)>;

// Renders one template. REQUIRES: CheckTemplate(text) returned OK.
std::string RenderTemplate(const std::string& text, const MessageFields& fields,
                           const EscapeText& escape = nullptr);

class MessageTemplates {
 public:
  MessageTemplates();  // the built-in templates

  std::string Render(MessageAudience audience, MessageStage stage, const Incident& incident,
                     const EscapeText& escape = nullptr) const;
  // `level` is 1 to 4, or 0 for the template of levels without their own.
  const std::string& Text(MessageAudience audience, MessageStage stage, int level = 0) const;
  // The names of templates that differ from the built-in ones, such as "public.resolved" or
  // "level 1 public.resolved", sorted.
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

  // By level; 0 for all levels. Empty where a level has no template of its own.
  std::array<
      std::array<std::array<std::string, std::size(kMessageStages)>, std::size(kMessageAudiences)>,
      1 + kLevels>
      texts_;
  std::map<std::string, std::string> public_names_;
};

// The message of an InvalidArgument says what is wrong with the template, at which line and column,
// and for an unknown field which fields exist.
absl::Status CheckTemplate(const std::string& text);

// Applies the stanza `templates`, if there is one, on top of `base`. A template file's path is
// relative to the configuration file.
MessageTemplates ReadMessageTemplates(const ConfigNode& node, ErrorList* errors,
                                      const MessageTemplates& base = MessageTemplates());

}  // namespace tocsin
