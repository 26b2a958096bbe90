#include "app/incident_book.h"

#include <simdjson.h>

#include <algorithm>

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

}  // namespace

bool IncidentBook::Before::operator()(const Kept* a, const Kept* b) const {
  const bool a_resolved = a->entry.state == "resolved";
  const bool b_resolved = b->entry.state == "resolved";
  if (a_resolved != b_resolved) return b_resolved;
  if (!a_resolved && a->entry.level != b->entry.level) return a->entry.level < b->entry.level;
  if (a->detected_at != b->detected_at) return a->detected_at > b->detected_at;
  return a->entry.id < b->entry.id;
}

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
  kept.summary.shrink_to_fit();
  kept.detected_at = std::string(Text(line, "detected_at"));
  const bool resolved = kept.entry.state == "resolved";

  absl::MutexLock lock(&mutex_);
  const auto known = by_id_.find(kept.entry.id);
  const bool fresh = known == by_id_.end();
  const bool was_open = !fresh && known->second.entry.state != "resolved";
  if (!fresh) Drop(known);
  if (!resolved) ++open_;
  if (resolved && (fresh || was_open)) resolved_.push_back(kept.entry.id);
  const Kept* const put = &(by_id_[kept.entry.id] = std::move(kept));
  order_.insert(put);
  by_number_.emplace(put->entry.number, put);
  while (resolved_.size() > resolved_kept_) {
    const auto oldest = by_id_.find(resolved_.front());
    resolved_.pop_front();
    // One that was reopened stands further behind, too, once it is resolved again.
    if (oldest != by_id_.end() && oldest->second.entry.state == "resolved") Drop(oldest);
  }
}

void IncidentBook::Drop(Kepts::iterator kept) {
  if (kept->second.entry.state != "resolved") --open_;
  order_.erase(&kept->second);
  auto [number, end] = by_number_.equal_range(kept->second.entry.number);
  while (number != end && number->second != &kept->second) ++number;
  if (number != end) by_number_.erase(number);
  by_id_.erase(kept);
}

std::string IncidentBook::ListJson(const ListOptions& options) const {
  absl::MutexLock lock(&mutex_);
  JsonWriter json;
  json.BeginObject();
  json.Key("total").Int(static_cast<std::int64_t>(options.resolved ? order_.size() : open_));
  json.Key("incidents").BeginArray();
  std::size_t left = std::min(options.limit, options.resolved ? order_.size() : open_);
  for (auto next = order_.begin(); left > 0; ++next, --left) json.Raw((*next)->summary);
  json.EndArray();
  json.EndObject();
  return json.Take();
}

std::vector<IncidentBook::Entry> IncidentBook::Find(std::string_view name) const {
  absl::MutexLock lock(&mutex_);
  if (const auto found = by_id_.find(name); found != by_id_.end()) return {found->second.entry};
  std::vector<Entry> entries;
  const auto [begin, end] = by_number_.equal_range(name);
  for (auto found = begin; found != end; ++found) entries.push_back(found->second->entry);
  return entries;
}

}  // namespace tocsin
