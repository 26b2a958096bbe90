// error_rate: the share of failed events is above both the usual and the tolerable.
//
//   kind: error_rate
//   where: {type: request}                      # the default type; session, auth … too
//   by: [service, endpoint]
//   warn: {above: 1.5%, clear: 0.5%, window: 5m, for: 5m, level: 2}
//   critical: {above: 50%, window: 1m, level: 1}
//   baseline: 0.2%                              # optional: fixes p0 instead of learning it
//   failure: {status: 429}                      # optional: what counts, a field and its value
//
// See failure_ratio.h for the rule. The evidence lists endpoints, versions and exceptions.
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detectors/failure_ratio.h"
#include "detectors/stanza.h"

namespace tocsin {
namespace {

std::optional<std::pair<FieldRef, std::string>> ReadFailure(ConfigReader* reader) {
  if (!reader->Has("failure")) return std::nullopt;
  const ConfigNode* node = reader->Node("failure");
  if (node->kind == ConfigNode::Kind::kMap && node->map.size() == 1) {
    const auto& [name, value] = node->map.front();
    const std::optional<FieldRef> field = FieldRef::Parse(name);
    if (field && value.kind == ConfigNode::Kind::kScalar) return std::pair(*field, value.scalar);
    if (!field) {
      reader->errors()->Add(node->key_locations.front(),
                            absl::StrCat("failure: unknown field '", name, "'"));
      return std::nullopt;
    }
  }
  reader->Error("failure", "failure: expected a field and its value, such as {status: 429}");
  return std::nullopt;
}

}  // namespace

std::unique_ptr<Detector> NewErrorRate(const DetectorConfig& stanza,
                                       const DetectorEnvironment& environment, ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  DetectorCommon common =
      ReadCommon(stanza, {.category = Category::kAvailability}, &reader, errors, ReadShareAbove);
  DefaultType(EventType::kRequest, &common.where);
  std::vector<Field> top_fields;
  if (common.where.MatchesType(EventType::kRequest)) top_fields.push_back(Field::kEndpoint);
  top_fields.push_back(Field::kVersion);
  if (common.where.MatchesType(EventType::kSession)) top_fields.push_back(Field::kException);
  std::optional<std::pair<FieldRef, std::string>> counted = ReadFailure(&reader);
  if (counted) {
    // The clients whose requests count as failures.
    top_fields.push_back(Field::kClientIp);
    top_fields.push_back(Field::kUserAgent);
  }
  const std::string noun =
      counted ? absl::StrCat("share of ", counted->first.Name(), " ", counted->second)
              : "error rate";
  FailureRatio ratio = {.noun = noun,
                        .top_fields = std::move(top_fields),
                        .counted = std::move(counted),
                        .p0 = reader.OptionalRatio("baseline")};
  reader.Finish();
  return NewFailureRatio(std::move(common), environment, std::move(ratio));
}

}  // namespace tocsin
