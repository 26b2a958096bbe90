#include "cli/incident_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cli/card.h"
#include "core/json_writer.h"
#include "core/labels.h"
#include "core/limits.h"
#include "core/number_text.h"
#include "core/string_hash.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

// Titles name series, whose labels may have a kilobyte each; there may be many.
constexpr std::size_t kTitleBytesMax = 2 << 10;

std::string ScopeText(const Incident& incident) {
  std::string text;
  for (const std::string_view part : KeyParts(incident.scope)) {
    absl::StrAppend(&text, text.empty() ? "" : "/", ToAbsl(part));
  }
  return text;
}

// "+60 s" after the onset; "-" where it has not come to that.
std::string After(TimeUs onset, TimeUs time) {
  if (time == kNoTime) return "-";
  return absl::StrCat("+", RoughDuration(std::max<DurationUs>(0, time - onset)));
}

void WriteAfter(std::string_view key, TimeUs onset, TimeUs time, JsonWriter* json) {
  json->Key(key);
  time == kNoTime
      ? json->Null()
      : json->Number(static_cast<double>(time - onset) / static_cast<double>(kSecondUs));
}

void WriteTime(std::string_view key, TimeUs time, JsonWriter* json) {
  json->Key(key);
  time == kNoTime ? json->Null() : json->String(FormatTime(time));
}

std::string Count(std::int64_t count, const char* what) {
  return absl::StrCat(GroupedNumber(count), " ", what, count == 1 ? "" : "s");
}

}  // namespace

void IncidentTable::Put(const Incident& incident) {
  const auto [found, fresh] = index_.try_emplace(incident.id, rows_.size());
  if (fresh && rows_.size() >= limits::kOpenIncidentsMax) {
    index_.erase(found);
    if (incident.revision == 1) ++more_;
    return;
  }
  if (fresh) rows_.emplace_back();
  rows_[found->second] = {.id = incident.id,
                          .number = incident.number,
                          .scope = ScopeText(incident),
                          .severity = incident.severity,
                          .state = std::string(IncidentStateName(incident.state)),
                          .title = OneLine(incident.title, kTitleBytesMax),
                          .level = incident.severity_level,
                          .onset = incident.onset,
                          .detected_at = incident.detected_at,
                          .paged_at = incident.paged_at(),
                          .resolved_at = incident.resolved_at,
                          .pages = incident.pages,
                          .merged = !incident.merged_into.empty()};
}

bool IncidentTable::SeveralScopes() const {
  return std::any_of(rows_.begin(), rows_.end(),
                     [this](const Row& row) { return row.scope != rows_[0].scope; });
}

std::string IncidentTable::Text(const TerminalStyle& terminal) const {
  if (rows_.empty()) return "No incidents.\n";
  // Numbers are given by scope, so that without it two lines may look like one incident.
  const bool scoped = SeveralScopes();
  std::vector<std::string> header = {"NUMBER", "LEVEL",    "ONSET (UTC)", "DETECTED",
                                     "PAGED",  "RESOLVED", "PAGES",       "TITLE"};
  if (scoped) header.insert(header.begin() + 1, "SCOPE");
  TextTable table(header);
  std::int64_t pages = 0;
  for (const Row& row : rows_) {
    pages += row.pages;
    const std::string resolved = row.merged                   ? "merged"
                                 : row.resolved_at == kNoTime ? row.state
                                                              : After(row.onset, row.resolved_at);
    std::string onset = FormatTime(row.onset).substr(0, 19);
    std::replace(onset.begin(), onset.end(), 'T', ' ');
    std::vector<std::string> cells = {row.number,
                                      row.severity,
                                      std::move(onset),
                                      After(row.onset, row.detected_at),
                                      After(row.onset, row.paged_at),
                                      resolved,
                                      absl::StrCat(row.pages),
                                      row.title};
    if (scoped) cells.insert(cells.begin() + 1, row.scope);
    table.Add(cells, {.painted = scoped ? 2U : 1U, .colour = LevelColour(row.level)});
  }
  std::string text = table.Text(terminal);
  if (more_ > 0) {
    absl::StrAppend(&text, "and ", GroupedNumber(more_),
                    " more: `--incidents FILE` has a line for every one\n");
  }
  absl::StrAppend(&text, Count(static_cast<std::int64_t>(rows_.size()) + more_, "incident"), ", ",
                  Count(pages, "page"), more_ > 0 ? " of those above\n" : "\n");
  return text;
}

std::string IncidentTable::Json() const {
  JsonWriter json;
  json.BeginArray();
  for (const Row& row : rows_) {
    json.BeginObject();
    json.Key("incident").String(row.id.Hex());
    json.Key("number").String(row.number);
    json.Key("scope").String(row.scope);
    json.Key("severity").String(row.severity);
    json.Key("severity_level").Int(row.level);
    json.Key("state").String(row.state);
    WriteTime("onset", row.onset, &json);
    WriteTime("detected_at", row.detected_at, &json);
    WriteTime("paged_at", row.paged_at, &json);
    WriteTime("resolved_at", row.resolved_at, &json);
    WriteAfter("detected_after_s", row.onset, row.detected_at, &json);
    WriteAfter("paged_after_s", row.onset, row.paged_at, &json);
    WriteAfter("resolved_after_s", row.onset, row.resolved_at, &json);
    json.Key("pages").Int(row.pages);
    json.Key("merged").Bool(row.merged);
    json.Key("title").String(row.title);
    json.EndObject();
  }
  json.EndArray();
  return json.Take();
}

}  // namespace tocsin
