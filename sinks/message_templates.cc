#include "sinks/message_templates.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <kainjow/mustache.hpp>
#include <sstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/string_hash.h"
#include "sinks/message_defaults.h"

namespace tocsin {
namespace {

namespace mustache = kainjow::mustache;

constexpr std::size_t kTemplateBytesMax = 64 << 10;
constexpr std::size_t kSectionDepthMax = 16;

// Fields with one item in every list; used only for the names of fields.
const MessageFields& AllFields() {
  static const MessageFields* const fields = [] {
    Incident incident;
    incident.signals.emplace_back();
    incident.suspects.emplace_back();
    incident.advice.emplace_back();
    incident.timeline.emplace_back().what = kJoinedTogether;
    return new MessageFields(MessageFieldsOf(incident, {}));
  }();
  return *fields;
}

std::string Place(const std::string& text, std::size_t at) {
  const auto begin = text.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(at);
  const std::size_t line_start = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
  return absl::StrCat("line ", 1 + std::count(begin, end, '\n'), ", column ", 1 + at - line_start);
}

// The field names that are valid inside the open sections.
class TemplateScope {
 public:
  void Open(const std::string& name) { sections_.push_back(name); }
  // False when the innermost open section has another name.
  bool Close(const std::string& name) {
    if (sections_.empty() || sections_.back() != name) return false;
    sections_.pop_back();
    return true;
  }
  const std::vector<std::string>& sections() const { return sections_; }

  std::vector<std::string> Names(bool as_section) const {
    const MessageFields& all = AllFields();
    std::vector<std::string> names;
    for (const auto& [name, text] : all.texts) names.push_back(name);
    for (const std::string& section : sections_) {
      const auto list = all.lists.find(section);
      if (list == all.lists.end()) continue;
      for (const auto& [name, text] : list->second[0]) names.push_back(name);
    }
    if (as_section) {
      for (const auto& [name, items] : all.lists) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::vector<std::string> sections_;
};

absl::Status CheckTag(const std::string& tag, const std::string& place, TemplateScope* scope) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(place, ": {{", tag, "}} ", what));
  };
  const char sigil = tag.empty() ? '\0' : tag[0];
  if (sigil == '!') return absl::OkStatus();
  if (sigil == '>' || sigil == '=') return wrong("is not supported");
  if (sigil == '{' || sigil == '&') return wrong("would not be escaped: write {{name}}");
  const bool section = sigil == '#' || sigil == '^';
  const bool named = section || sigil == '/';
  const std::string name(absl::StripAsciiWhitespace(tag.substr(named ? 1 : 0)));
  if (sigil == '/') {
    if (scope->Close(name)) return absl::OkStatus();
    if (scope->sections().empty()) return wrong("closes a section that is not open");
    return wrong(absl::StrCat("closes the wrong section: {{#", scope->sections().back(),
                              "}} is still open"));
  }
  const std::vector<std::string> names = scope->Names(section);
  if (!std::binary_search(names.begin(), names.end(), name)) {
    const std::string nearest = Nearest(name, names);
    return wrong(absl::StrCat("is an unknown field (fields here are ", absl::StrJoin(names, ", "),
                              ")", nearest.empty() ? "" : "; did you mean '", nearest,
                              nearest.empty() ? "" : "'?"));
  }
  if (section) scope->Open(name);
  if (scope->sections().size() > kSectionDepthMax) return wrong("is nested too deeply");
  return absl::OkStatus();
}

// By the Mustache specification, a line with only a section tag or a comment produces no output
// line. The library produces an empty one when the section is absent.
std::string WithoutLinesOfTags(const std::string& text) {
  std::string joined;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const absl::string_view tag = absl::StripAsciiWhitespace(line);
    const bool alone = tag.size() > 4 && absl::StartsWith(tag, "{{") &&
                       tag.find("}}") == tag.size() - 2 &&
                       absl::string_view("#^/!").find(tag[2]) != absl::string_view::npos;
    absl::StrAppend(&joined, alone ? tag : line, alone ? "" : "\n");
  }
  return joined;
}

mustache::data DataOf(const MessageFields::Texts& texts) {
  mustache::data data;
  for (const auto& [name, text] : texts) {
    // The library would treat an empty string as present in a section.
    if (!text.empty()) data.set(name, text);
  }
  return data;
}

// The text of one template: inline, or from the file that it names.
std::string ReadText(const std::string& what, const ConfigNode& node, ErrorList* errors) {
  if (node.kind == ConfigNode::Kind::kScalar) return node.scalar;
  ConfigReader reader(node, what, errors);
  const std::string file = reader.RequiredString("file");
  reader.Finish();
  if (file.empty()) return "";
  const std::filesystem::path path =
      std::filesystem::path(node.at.file).parent_path() / std::filesystem::path(file);
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || text.str().empty()) {
    reader.Error("file",
                 absl::StrCat("the template file ", path.string(), " cannot be read or is empty"));
    return "";
  }
  return text.str();
}

std::map<std::string, std::string> ReadPublicNames(const ConfigNode& node, ErrorList* errors) {
  std::map<std::string, std::string> names;
  if (node.kind != ConfigNode::Kind::kMap) {
    errors->Add(node.at, "public_names: expected a map such as {orders-db: Checkout}");
    return names;
  }
  ConfigReader reader(node, "public_names", errors);
  for (const auto& [component, name] : node.map) names[component] = reader.String(component);
  return names;
}

}  // namespace

absl::Status CheckTemplate(const std::string& text) {
  if (text.size() > kTemplateBytesMax) {
    return absl::InvalidArgumentError("the template is longer than 64 KiB");
  }
  TemplateScope scope;
  for (std::size_t at = 0; (at = text.find("{{", at)) != std::string::npos;) {
    const std::size_t end = text.find("}}", at);
    if (end == std::string::npos) {
      return absl::InvalidArgumentError(Place(text, at) + ": {{ has no closing }}");
    }
    const std::string tag(absl::StripAsciiWhitespace(text.substr(at + 2, end - at - 2)));
    if (absl::Status status = CheckTag(tag, Place(text, at), &scope); !status.ok()) return status;
    at = end + 2;
  }
  if (!scope.sections().empty()) {
    return absl::InvalidArgumentError("{{#" + scope.sections().back() + "}} is never closed");
  }
  const mustache::mustache parsed(text);
  return parsed.is_valid() ? absl::OkStatus() : absl::InvalidArgumentError(parsed.error_message());
}

MessageTemplates::MessageTemplates() {
  for (const MessageAudience audience : kMessageAudiences) {
    for (const MessageStage stage : kMessageStages) {
      std::string& text = At(audience, stage, 0);
      text = DefaultTemplate(audience, stage);
      if (audience == MessageAudience::kEmail) {
        // The first line of a built-in message is a summary, so it is the subject.
        const std::size_t first = text.find('\n');
        text = absl::StrCat("Subject: ", text.substr(0, first), "\n\n", text.substr(first + 1));
      }
    }
  }
}

std::string RenderTemplate(const std::string& text, const MessageFields& fields,
                           const EscapeText& escape) {
  mustache::mustache parsed(WithoutLinesOfTags(text));
  parsed.set_custom_escape(
      [&](const std::string& value) { return escape ? escape(value) : value; });
  mustache::data data = DataOf(fields.texts);
  for (const auto& [name, items] : fields.lists) {
    mustache::data list{mustache::data::type::list};
    for (const MessageFields::Texts& item : items) list.push_back(DataOf(item));
    data.set(name, list);
  }
  std::string rendered = parsed.render(data);
  absl::StripTrailingAsciiWhitespace(&rendered);
  return rendered;
}

std::string MessageTemplates::Render(MessageAudience audience, MessageStage stage,
                                     const Incident& incident, const EscapeText& escape) const {
  return RenderTemplate(Text(audience, stage, incident.severity_level),
                        MessageFieldsOf(incident, public_names_), escape) +
         "\n";
}

const std::string& MessageTemplates::Text(MessageAudience audience, MessageStage stage,
                                          int level) const {
  const auto of = [&](int which) -> const std::string& {
    return texts_[static_cast<std::size_t>(which)][static_cast<std::size_t>(audience)]
                 [static_cast<std::size_t>(stage)];
  };
  return level < 1 || level > kLevels || of(level).empty() ? of(0) : of(level);
}

std::vector<std::string> MessageTemplates::Replaced() const {
  const MessageTemplates ours;
  std::vector<std::string> replaced;
  for (int level = 0; level <= kLevels; ++level) {
    for (const MessageAudience audience : kMessageAudiences) {
      for (const MessageStage stage : kMessageStages) {
        const std::string& general =
            level == 0 ? ours.Text(audience, stage) : Text(audience, stage);
        if (Text(audience, stage, level) == general) continue;
        replaced.push_back(absl::StrCat(level == 0 ? "" : absl::StrCat("level ", level, " "),
                                        ToAbsl(MessageAudienceName(audience)), ".",
                                        ToAbsl(MessageStageName(stage))));
      }
    }
  }
  std::sort(replaced.begin(), replaced.end());
  return replaced;
}

void MessageTemplates::ReadAudiences(int level, ConfigReader* reader, ErrorList* errors) {
  for (const MessageAudience audience : kMessageAudiences) {
    const std::string of = std::string(MessageAudienceName(audience));
    const ConfigNode* stages = reader->Node(of);
    if (stages == nullptr) continue;
    ConfigReader stage_reader(*stages, "templates of " + of, errors);
    for (const MessageStage stage : kMessageStages) {
      const std::string name(MessageStageName(stage));
      const ConfigNode* written = stage_reader.Node(name);
      if (written == nullptr) continue;
      const std::string text = ReadText("template " + of + "." + name, *written, errors);
      if (text.empty()) continue;
      if (const absl::Status status = CheckTemplate(text); !status.ok()) {
        errors->Add(written->at, absl::StrCat("template ", of, ".", name, ", ", status.message()));
        continue;
      }
      At(audience, stage, level) = text;
      // A template for all levels also overrides the base's templates for single levels.
      for (int each = 1; level == 0 && each <= kLevels; ++each) At(audience, stage, each).clear();
    }
    stage_reader.Finish();
  }
}

MessageTemplates ReadMessageTemplates(const ConfigNode& node, ErrorList* errors,
                                      const MessageTemplates& base) {
  MessageTemplates templates = base;
  if (node.kind == ConfigNode::Kind::kNull) return templates;
  ConfigReader reader(node, "templates", errors);
  if (const ConfigNode* names = reader.Node("public_names")) {
    templates.public_names_ = ReadPublicNames(*names, errors);
  }
  templates.ReadAudiences(0, &reader, errors);
  if (const ConfigNode* levels = reader.Node("level")) {
    ConfigReader level_reader(*levels, "level of templates", errors);
    for (int level = 1; level <= MessageTemplates::kLevels; ++level) {
      const std::string name = std::to_string(level);
      const ConfigNode* audiences = level_reader.Node(name);
      if (audiences == nullptr) continue;
      ConfigReader audience_reader(*audiences, "templates of level " + name, errors);
      templates.ReadAudiences(level, &audience_reader, errors);
      audience_reader.Finish();
    }
    level_reader.Finish();
  }
  reader.Finish();
  return templates;
}

}  // namespace tocsin
