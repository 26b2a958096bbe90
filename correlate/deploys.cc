#include "correlate/deploys.h"

#include <algorithm>

#include "core/limits.h"

namespace tocsin {
namespace {

constexpr auto kBeforeTime = [](const Deploy& deploy, TimeUs time) { return deploy.time < time; };

}  // namespace

Deploy DeployOf(const Fact& fact) {
  std::string_view service = fact.Get(Field::kService);
  if (service.empty()) service = fact.Get(Field::kApp);
  return {.time = fact.time,
          .service = std::string(service),
          .version = std::string(fact.Get(Field::kVersion)),
          .rollback = fact.Get(Field::kName) == "rollback"};
}

Notification ChangeOf(const Deploy& deploy, std::string_view scope, const Labels& scope_labels,
                      TimeUs tick) {
  Notification change{.action = NotificationAction::kChange, .level = 4, .tick = tick};
  Incident& what = change.incident;
  const std::string verb = deploy.rollback ? "rollback" : "release";
  what.id =
      HashParts({"change", scope, FormatTime(deploy.time), deploy.service, deploy.version, verb});
  what.title = verb;
  if (!deploy.service.empty()) what.title += " of " + deploy.service;
  if (!deploy.version.empty()) what.title += (deploy.rollback ? " to " : ", ") + deploy.version;
  what.scope = scope;
  what.scope_labels = scope_labels;
  what.component = deploy.service;
  what.onset = deploy.time;
  return change;
}

bool DeployLog::Add(const Deploy& deploy) {
  const auto place = std::lower_bound(deploys_.begin(), deploys_.end(), deploy);
  if (place != deploys_.end() && *place == deploy) return false;
  deploys_.insert(place, deploy);
  if (deploys_.size() > limits::kDeploysMax) deploys_.erase(deploys_.begin());
  return true;
}

bool DeployLog::ForgetBefore(TimeUs time) {
  const auto end = std::lower_bound(deploys_.begin(), deploys_.end(), time, kBeforeTime);
  if (end == deploys_.begin()) return false;
  deploys_.erase(deploys_.begin(), end);
  return true;
}

std::span<const Deploy> DeployLog::Between(TimeUs from, TimeUs to) const {
  const auto begin = std::lower_bound(deploys_.begin(), deploys_.end(), from, kBeforeTime);
  auto end = begin;
  while (end != deploys_.end() && end->time <= to) ++end;
  return {begin, end};
}

TimeUs DeployLog::RolledBackAt(const Deploy& release) const {
  for (const Deploy& deploy : deploys_) {
    if (!deploy.rollback || deploy.time <= release.time) continue;
    if (!deploy.service.empty() && deploy.service != release.service) continue;
    // A rollback names the version that it goes back to; a release of that version is not rolled
    // back.
    if (!deploy.version.empty() && deploy.version == release.version) continue;
    return deploy.time;
  }
  return kNoTime;
}

void DeployLog::Encode(ByteWriter* out) const {
  out->Varint(deploys_.size());
  for (const Deploy& deploy : deploys_) {
    out->Signed(deploy.time);
    out->Bytes(deploy.service);
    out->Bytes(deploy.version);
    out->Bool(deploy.rollback);
  }
}

DeployLog DeployLog::Decode(ByteReader* in) {
  DeployLog log;
  log.deploys_.resize(in->Count(4));
  for (Deploy& deploy : log.deploys_) {
    deploy.time = in->Signed();
    deploy.service = in->Bytes();
    deploy.version = in->Bytes();
    deploy.rollback = in->Bool();
  }
  // Binary search relies on the order.
  if (!std::is_sorted(log.deploys_.begin(), log.deploys_.end())) in->Fail();
  return in->ok() ? log : DeployLog{};
}

}  // namespace tocsin
