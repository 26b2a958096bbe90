#include "service/incident_book.h"

#include <simdjson.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/bounded_line.h"
#include "core/incident.h"

namespace tocsin {
namespace {

constexpr std::string_view kResolved = "resolved";

std::string_view Text(const simdjson::dom::element& line, const char* key) {
  std::string_view text;
  return line[key].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

std::int64_t Level(const simdjson::dom::element& line) {
  std::int64_t level = 0;
  return line["severity_level"].get(level) == simdjson::SUCCESS ? level : 4;
}

constexpr std::size_t kAhead = 8;

void Prefetch(const void* begin, std::size_t size) {
  constexpr std::size_t kCacheLine = 64;
  const char* const bytes = static_cast<const char*>(begin);
  for (std::size_t at = 0; at < size; at += kCacheLine) __builtin_prefetch(bytes + at);
}

}  // namespace

bool IncidentBook::Before::operator()(const Kepts::value_type* a,
                                      const Kepts::value_type* b) const {
  const Kept& left = a->second;
  const Kept& right = b->second;
  if (left.resolved != right.resolved) return right.resolved;
  if (!left.resolved && left.level != right.level) return left.level < right.level;
  if (left.detected_at != right.detected_at) return left.detected_at > right.detected_at;
  return a->first < b->first;
}

void IncidentBook::Put(const std::string& text, const std::string& whole) {
  simdjson::dom::parser parser;
  simdjson::dom::element line;
  if (parser.parse(text).get(line) != simdjson::SUCCESS) return;
  const std::optional<Hash128> id = Hash128::FromHex(Text(line, "incident"));
  if (!id) return;
  Kept kept = {.line = text,
               .number = std::string(Text(line, "number")),
               .whole = whole.empty() ? nullptr : std::make_unique<const std::string>(whole),
               .detected_at = ParseRfc3339(Text(line, "detected_at")).value_or(kNoTime),
               .head_size = static_cast<std::uint32_t>(IncidentLineHead(text).size()),
               .level = static_cast<std::int32_t>(Level(line)),
               .resolved = Text(line, "state") == kResolved,
               .bounded = IsBounded(text)};

  absl::MutexLock lock(&mutex_);
  const auto known = by_id_.find(*id);
  const bool fresh = known == by_id_.end();
  const bool was_open = !fresh && !known->second.resolved;
  if (!fresh) Drop(known);
  if (!kept.resolved) ++open_;
  if (kept.resolved && (fresh || was_open)) resolved_.push_back(*id);
  const auto put = by_id_.emplace(*id, std::move(kept)).first;
  order_.insert(&*put);
  by_number_.emplace(put->second.number, *id);
  while (resolved_.size() > resolved_kept_) {
    const auto oldest = by_id_.find(resolved_.front());
    resolved_.pop_front();
    // An incident that was reopened and resolved again has a later entry, too.
    if (oldest != by_id_.end() && oldest->second.resolved) Drop(oldest);
  }
}

bool IncidentBook::LacksWhole(const Hash128& incident) const {
  absl::MutexLock lock(&mutex_);
  const auto known = by_id_.find(incident);
  return known != by_id_.end() && known->second.bounded && known->second.whole == nullptr;
}

void IncidentBook::Drop(Kepts::iterator kept) {
  if (!kept->second.resolved) --open_;
  order_.erase(&*kept);
  auto [number, end] = by_number_.equal_range(kept->second.number);
  while (number != end && number->second != kept->first) ++number;
  if (number != end) by_number_.erase(number);
  by_id_.erase(kept);
}

std::string IncidentBook::ListJson(const ListOptions& options) const {
  absl::MutexLock lock(&mutex_);
  const std::size_t total = options.resolved ? order_.size() : open_;
  std::string json = absl::StrCat("{\"total\":", total, ",\"incidents\":[");
  std::vector<const Kept*> listed(std::min(options.limit, total));
  std::transform(order_.begin(), std::next(order_.begin(), std::ssize(listed)), listed.begin(),
                 [](const Kepts::value_type* kept) { return &kept->second; });
  // Reserve: without it the text of 100,000 incidents would be copied many times.
  if (!listed.empty()) json.reserve(listed[0]->head_size * listed.size() * 5 / 4);
  for (std::size_t i = 0; i < listed.size(); ++i) {
    // Entries are scattered in memory: without prefetching, cache misses take most of the time.
    if (i + 2 * kAhead < listed.size()) Prefetch(listed[i + 2 * kAhead], sizeof(Kept));
    if (i + kAhead < listed.size()) {
      Prefetch(listed[i + kAhead]->line.data(), listed[i + kAhead]->head_size);
    }
    if (i > 0) json += ',';
    json.append(listed[i]->line, 0, listed[i]->head_size);
    json += '}';
  }
  return json + "]}";
}

std::vector<IncidentBook::Entry> IncidentBook::Find(std::string_view name) const {
  absl::MutexLock lock(&mutex_);
  std::vector<Hash128> ids;
  if (const auto id = Hash128::FromHex(name); id && by_id_.contains(*id)) {
    ids.push_back(*id);
  } else {
    const auto [begin, end] = by_number_.equal_range(name);
    for (auto found = begin; found != end; ++found) ids.push_back(found->second);
  }
  std::vector<Entry> entries;
  for (const Hash128& id : ids) {
    const Kept& kept = by_id_.at(id);
    simdjson::dom::parser parser;
    simdjson::dom::element line;
    if (parser.parse(kept.line).get(line) != simdjson::SUCCESS) continue;  // Put parsed it already
    entries.push_back({.id = id,
                       .scope = std::string(Text(line, "scope")),
                       .state = std::string(Text(line, "state")),
                       .level = kept.level,
                       .line = kept.whole == nullptr ? kept.line : *kept.whole});
  }
  return entries;
}

}  // namespace tocsin
