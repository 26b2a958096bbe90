#include "demo/demo_outcome.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/string_hash.h"
#include "demo/demo_story.h"

namespace tocsin {
namespace {

constexpr TimeUs kDetectedBy = story::At(21, 6);
constexpr DurationUs kResolvedWithin = 6 * kMinuteUs;
// A sketch counts users to within a few percent.
constexpr std::int64_t kUsersMin = story::kUsers * 9 / 10;
constexpr std::int64_t kUsersMax = story::kUsers * 11 / 10;
constexpr std::int64_t kTransactionsMin = 200;
constexpr std::int64_t kTransactionsMax = 300;

using Complaints = std::vector<std::string>;

void CheckImpact(const Impact& impact, Complaints* complaints) {
  const std::int64_t users = impact.users_affected.value_or(0);
  if (users < kUsersMin || users > kUsersMax) {
    complaints->push_back(absl::StrCat(users, " users affected, expected about ", story::kUsers));
  }
  if (impact.failed_transactions < kTransactionsMin ||
      impact.failed_transactions > kTransactionsMax) {
    complaints->push_back(
        absl::StrCat(impact.failed_transactions, " failed transactions, expected about 250"));
  }
}

void CheckSuspect(const Incident& incident, Complaints* complaints) {
  const std::string deploy = absl::StrCat(ToAbsl(story::kService), " ", ToAbsl(story::kVersion));
  if (incident.suspects.empty() || incident.suspects[0].kind != "deploy" ||
      incident.suspects[0].name != deploy) {
    complaints->push_back(absl::StrCat(
        "the first suspect is ", incident.suspects.empty() ? "nobody" : incident.suspects[0].name,
        ", expected the deploy ", deploy));
  }
  if (incident.advice.empty() ||
      !absl::StrContains(absl::AsciiStrToLower(incident.advice[0]), "roll")) {
    complaints->push_back("the first advice is not to roll back");
  }
}

void CheckIncident(const Incident& incident, Complaints* complaints) {
  if (incident.severity_level != 1) {
    complaints->push_back(absl::StrCat("it is ", incident.severity, ", expected level 1"));
  }
  if (incident.detected_at > kDetectedBy) {
    complaints->push_back(absl::StrCat("detected at ", FormatTime(incident.detected_at),
                                       ", expected by ", FormatTime(kDetectedBy)));
  }
  if (incident.state != IncidentState::kResolved) {
    complaints->push_back("it did not resolve");
  } else if (incident.resolved_at > story::kLastFailure + kResolvedWithin) {
    complaints->push_back(absl::StrCat("resolved at ", FormatTime(incident.resolved_at),
                                       ", expected within 6 min of the last failure at ",
                                       FormatTime(story::kLastFailure)));
  }
  CheckSuspect(incident, complaints);
  CheckImpact(incident.impact, complaints);
}

// One page for each level the incident reached, each triggered once and resolved.
void CheckPages(const Incident& incident, const std::vector<PagerDutyStandIn::Page>& pages,
                Complaints* complaints) {
  if (static_cast<std::int64_t>(pages.size()) != incident.pages) {
    complaints->push_back(
        absl::StrCat(pages.size(), " pages were opened, ", incident.pages, " were decided"));
  }
  const std::string last = Incident::DedupKey(incident.id, incident.severity_level);
  const bool paged_last = std::any_of(pages.begin(), pages.end(),
                                      [&](const auto& page) { return page.dedup_key == last; });
  if (!paged_last) complaints->push_back("nobody was paged for level 1");
  for (const PagerDutyStandIn::Page& page : pages) {
    if (page.triggers != 1) {
      complaints->push_back(
          absl::StrCat("page ", page.dedup_key, " was triggered ", page.triggers, " times"));
    }
    if (!page.resolved) complaints->push_back(absl::StrCat("page ", page.dedup_key, " is open"));
  }
}

}  // namespace

void DemoOutcome::Add(const Decision& decision) {
  for (const Incident& incident : decision.incidents) incidents_[incident.number] = incident;
}

bool DemoOutcome::Resolved() const {
  return !incidents_.empty() &&
         std::all_of(incidents_.begin(), incidents_.end(), [](const auto& incident) {
           return incident.second.state == IncidentState::kResolved;
         });
}

std::vector<std::string> DemoOutcome::Complaints(const std::vector<PagerDutyStandIn::Page>& pages,
                                                 const std::vector<std::string>& rejected) const {
  std::vector<std::string> complaints;
  complaints.reserve(rejected.size());
  for (const std::string& reason : rejected) {
    complaints.push_back(absl::StrCat("PagerDuty would have refused a request: ", reason));
  }
  if (incidents_.size() != 1) {
    complaints.push_back(absl::StrCat(incidents_.size(), " incidents, expected one"));
    return complaints;
  }
  CheckIncident(incidents_.begin()->second, &complaints);
  CheckPages(incidents_.begin()->second, pages, &complaints);
  return complaints;
}

}  // namespace tocsin
