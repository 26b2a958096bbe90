#include "sinks/incident_line.h"

#include <simdjson.h>

#include <algorithm>

#include "core/string_hash.h"

namespace tocsin {
namespace {

using Element = simdjson::dom::element;
using Array = simdjson::dom::array;
using simdjson::SUCCESS;

std::string Text(const Element& object, const char* key) {
  std::string_view text;
  return object[key].get(text) == SUCCESS ? std::string(text) : std::string();
}

TimeUs Time(const Element& object, const char* key) {
  return ParseRfc3339(Text(object, key)).value_or(kNoTime);
}

std::optional<std::int64_t> Int(const Element& object, const char* key) {
  std::int64_t value = 0;
  if (object[key].get(value) != SUCCESS) return std::nullopt;
  return value;
}

double Number(const Element& object, const char* key) {
  double value = 0;
  return object[key].get(value) == SUCCESS ? value : 0;
}

bool Bool(const Element& object, const char* key) {
  bool value = false;
  return object[key].get(value) == SUCCESS && value;
}

template <typename Visit>
void ForEach(const Element& object, const char* key, Visit visit) {
  Array array;
  if (object[key].get(array) != SUCCESS) return;
  for (const Element element : array) visit(element);
}

std::vector<std::string> Texts(const Element& object, const char* key) {
  std::vector<std::string> texts;
  ForEach(object, key, [&](const Element& element) {
    std::string_view text;
    if (element.get(text) == SUCCESS) texts.emplace_back(text);
  });
  return texts;
}

template <typename Enum, typename Name>
Enum Named(const std::string& text, int count, Name name) {
  for (int i = 0; i < count; ++i) {
    if (name(static_cast<Enum>(i)) == text) return static_cast<Enum>(i);
  }
  return static_cast<Enum>(0);
}

Signal ReadSignal(const Element& element) {
  Signal signal;
  signal.detector = Text(element, "detector");
  signal.kind = Text(element, "kind");
  simdjson::dom::object series;
  if (element["series"].get(series) == SUCCESS) {
    for (const auto& [key, value] : series) {
      std::string_view text;
      if (value.get(text) == SUCCESS) signal.series.emplace_back(key, text);
    }
  }
  signal.level = static_cast<int>(Int(element, "level").value_or(3));
  signal.onset = Time(element, "onset");
  signal.fired_at = Time(element, "fired_at");
  signal.cleared_at = Time(element, "cleared_at");
  signal.value = Number(element, "value");
  signal.threshold = Number(element, "threshold");
  ForEach(element, "evidence", [&](const Element& evidence) {
    Element value;
    if (evidence["value"].get(value) != SUCCESS) return;
    signal.evidence.push_back({.kind = Text(evidence, "kind"),
                               .name = Text(evidence, "name"),
                               .json = simdjson::minify(value)});
  });
  return signal;
}

Impact ReadImpact(const Element& line) {
  Impact impact;
  Element element;
  if (line["impact"].get(element) != SUCCESS) return impact;
  impact.users_affected = Int(element, "users_affected");
  impact.users_total = Int(element, "users_total");
  impact.failed = Int(element, "failed").value_or(0);
  impact.failed_transactions = Int(element, "failed_transactions").value_or(0);
  double revenue = 0;
  if (element["revenue"].get(revenue) == SUCCESS) impact.revenue = revenue;
  return impact;
}

// The labels of the scope. The line holds only their values, joined with '/'; their names come from
// a signal, whose labels begin with those of its scope.
Labels ScopeLabels(const Incident& incident, const std::string& scope) {
  Labels labels;
  std::string text;
  if (!incident.signals.empty()) {
    for (const auto& label : incident.signals.front().series) {
      if (text.size() >= scope.size()) break;
      text += (text.empty() ? "" : "/") + label.second;
      labels.push_back(label);
    }
  }
  return text == scope ? labels : Labels{{"scope", scope}};
}

}  // namespace

std::size_t SignalsOmitted(std::string_view text) {
  simdjson::dom::parser parser;
  Element line;
  std::int64_t signals = 0;
  if (parser.parse(text.data(), text.size()).get(line) != SUCCESS ||
      line["omitted"]["signals"].get(signals) != SUCCESS) {
    return 0;
  }
  return static_cast<std::size_t>(std::max<std::int64_t>(0, signals));
}

absl::StatusOr<Incident> ReadIncident(std::string_view text) {
  simdjson::dom::parser parser;
  Element line;
  Incident incident;
  if (parser.parse(text.data(), text.size()).get(line) != SUCCESS) {
    return absl::InvalidArgumentError("the incident line is not valid JSON");
  }
  const std::optional<Hash128> id = Hash128::FromHex(Text(line, "incident"));
  if (!id) {
    return absl::InvalidArgumentError("not an incident line: 'incident' is not an incident id");
  }
  incident.id = *id;
  incident.number = Text(line, "number");
  incident.revision = Int(line, "revision").value_or(0);
  incident.state = Named<IncidentState>(Text(line, "state"), 4, IncidentStateName);
  incident.severity = Text(line, "severity");
  incident.severity_level = static_cast<int>(Int(line, "severity_level").value_or(3));
  incident.severity_rule = Text(line, "severity_rule");
  incident.category = Named<Category>(Text(line, "category"), 5, CategoryName);
  incident.title = Text(line, "title");
  AppendKeyPart(Text(line, "scope"), &incident.scope);
  incident.component = Text(line, "component");
  incident.classification = Text(line, "classification");
  incident.onset = Time(line, "onset");
  incident.detected_at = Time(line, "detected_at");
  ForEach(line, "levels", [&](const Element& element) {
    incident.levels.push_back({.level = static_cast<int>(Int(element, "level").value_or(3)),
                               .at = Time(element, "at"),
                               .paged_at = Time(element, "paged_at")});
  });
  incident.acknowledged_at = Time(line, "acknowledged_at");
  incident.resolved_at = Time(line, "resolved_at");
  ForEach(line, "signals",
          [&](const Element& element) { incident.signals.push_back(ReadSignal(element)); });
  ForEach(line, "suspects", [&](const Element& element) {
    incident.suspects.push_back({.kind = Text(element, "kind"),
                                 .name = Text(element, "name"),
                                 .at = Time(element, "at"),
                                 .reason = Text(element, "reason")});
  });
  incident.scope_labels = ScopeLabels(incident, Text(line, "scope"));
  incident.impact = ReadImpact(line);
  incident.advice = Texts(line, "advice");
  incident.runbook = Text(line, "runbook");
  incident.escalate_to = Texts(line, "escalate_to");
  incident.respond_within_s = Int(line, "respond_within_s");
  incident.next_update_at = Time(line, "next_update_at");
  incident.muted_by = Text(line, "muted_by");
  incident.acknowledged_by = Text(line, "acknowledged_by");
  ForEach(line, "timeline", [&](const Element& element) {
    incident.timeline.push_back({.at = Time(element, "at"),
                                 .id = Text(element, "act"),
                                 .author = Text(element, "author"),
                                 .what = Text(element, "what"),
                                 .text = Text(element, "text")});
  });
  incident.merged_into = Text(line, "merged_into");
  incident.beside = Texts(line, "beside");
  incident.partial = Bool(line, "partial");
  incident.pages = Int(line, "pages").value_or(0);
  return incident;
}

}  // namespace tocsin
