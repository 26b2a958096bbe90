#include "app/incident_book.h"

#include <simdjson.h>

#include "core/json_writer.h"

namespace tocsin {
namespace {

std::string_view Text(const simdjson::dom::element& line, const char* key) {
  std::string_view text;
  return line[key].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

std::int64_t Level(const simdjson::dom::element& line) {
  std::int64_t level = 0;
  return line["severity_level"].get(level) == simdjson::SUCCESS ? level : 4;
}

std::string Summary(const simdjson::dom::element& line) {
  JsonWriter json;
  json.BeginObject();
  for (const char* key :
       {"incident", "number", "state", "severity", "severity_level", "title", "scope", "component",
        "classification", "onset", "detected_at", "acknowledged_at", "acknowledged_by",
        "resolved_at", "muted_by", "revision", "pages"}) {
    simdjson::dom::element value;
    if (line[key].get(value) == simdjson::SUCCESS) json.Key(key).Raw(simdjson::minify(value));
  }
  json.EndObject();
  return json.Take();
}

// Sorts later times first: times are texts of one length, and this reverses their order.
std::string Reversed(std::string_view time) {
  std::string reversed(time);
  for (char& c : reversed) c = static_cast<char>('~' - (c - ' '));
  return reversed;
}

}  // namespace

void IncidentBook::Put(const std::string& text) {
  simdjson::dom::parser parser;
  simdjson::dom::element line;
  if (parser.parse(text).get(line) != simdjson::SUCCESS) return;
  Kept kept;
  kept.entry = {.id = std::string(Text(line, "incident")),
                .number = std::string(Text(line, "number")),
                .scope = std::string(Text(line, "scope")),
                .state = std::string(Text(line, "state")),
                .level = Level(line),
                .line = text};
  if (kept.entry.id.empty()) return;
  kept.summary = Summary(line);
  const bool resolved = kept.entry.state == "resolved";
  kept.order = {resolved, resolved ? 0 : kept.entry.level, Reversed(Text(line, "detected_at"))};

  absl::MutexLock lock(&mutex_);
  const auto [found, fresh] = by_id_.try_emplace(kept.entry.id);
  const bool was_open = !fresh && found->second.entry.state != "resolved";
  if (!fresh) order_.erase({found->second.order, kept.entry.id});
  order_.emplace(kept.order, kept.entry.id);
  if (!resolved && !was_open) ++open_;
  if (resolved && was_open) --open_;
  if (resolved && (fresh || was_open)) resolved_.push_back(kept.entry.id);
  found->second = std::move(kept);
  while (resolved_.size() > resolved_kept_) {
    const auto oldest = by_id_.find(resolved_.front());
    resolved_.pop_front();
    // One that was reopened stands further behind, too, once it is resolved again.
    if (oldest == by_id_.end() || oldest->second.entry.state != "resolved") continue;
    order_.erase({oldest->second.order, oldest->first});
    by_id_.erase(oldest);
  }
}

std::string IncidentBook::ListJson(const ListOptions& options) const {
  absl::MutexLock lock(&mutex_);
  JsonWriter json;
  json.BeginObject();
  json.Key("total").Int(static_cast<std::int64_t>(options.resolved ? order_.size() : open_));
  json.Key("incidents").BeginArray();
  std::size_t left = std::min(options.limit, options.resolved ? order_.size() : open_);
  for (auto next = order_.begin(); left > 0; ++next, --left) {
    json.Raw(by_id_.find(next->second)->second.summary);
  }
  json.EndArray();
  json.EndObject();
  return json.Take();
}

std::vector<IncidentBook::Entry> IncidentBook::Find(std::string_view name) const {
  absl::MutexLock lock(&mutex_);
  if (const auto found = by_id_.find(name); found != by_id_.end()) return {found->second.entry};
  std::vector<Entry> entries;
  for (const auto& [id, kept] : by_id_) {
    if (kept.entry.number == name) entries.push_back(kept.entry);
  }
  return entries;
}

}  // namespace tocsin
