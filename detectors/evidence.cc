#include "detectors/evidence.h"

#include "core/json_writer.h"

namespace tocsin {

EvidenceList& EvidenceList::Json(std::string_view kind, std::string_view name, std::string json) {
  list_.push_back({.kind = std::string(kind), .name = std::string(name), .json = std::move(json)});
  return *this;
}

EvidenceList& EvidenceList::Number(std::string_view kind, std::string_view name, double value) {
  JsonWriter json;
  return Json(kind, name, json.Number(value).Take());
}

EvidenceList& EvidenceList::Int(std::string_view kind, std::string_view name, std::int64_t value) {
  JsonWriter json;
  return Json(kind, name, json.Int(value).Take());
}

EvidenceList& EvidenceList::Text(std::string_view kind, std::string_view name,
                                 std::string_view text) {
  JsonWriter json;
  return Json(kind, name, json.String(text).Take());
}

EvidenceList& EvidenceList::Top(std::string_view name, const SpaceSaving& top, std::size_t n) {
  if (top.empty()) return *this;
  JsonWriter json;
  json.BeginArray();
  for (const SpaceSaving::Entry& entry : top.Top(n)) {
    json.BeginObject();
    json.Key("key").String(entry.key);
    json.Key("count").Int(entry.count);
    json.Key("share").Number(static_cast<double>(entry.count) / static_cast<double>(top.total()));
    json.EndObject();
  }
  return Json("top", name, json.EndArray().Take());
}

}  // namespace tocsin
