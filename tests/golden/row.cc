#include "tests/golden/row.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/config.h"
#include "core/string_hash.h"
#include "replay/replayer.h"
#include "tests/golden/traffic.h"

namespace tocsin {
namespace {

constexpr DurationUs kLengthDefault = 100 * kMinuteUs;
constexpr DurationUs kQuietLength = 3 * kHourUs;

std::optional<std::int64_t> OptionalCount(ConfigReader* reader, const char* key) {
  if (!reader->Has(key)) return std::nullopt;
  return reader->Int(key, 0, 0, 1'000'000'000);
}

DurationUs FirstStart(const std::vector<Fault>& faults) {
  DurationUs first = 0;
  for (const Fault& fault : faults) {
    // A deploy is a suspect, not yet the incident.
    if (fault.kind == Fault::Kind::kDeploy) continue;
    if (first == 0 || fault.at < first) first = fault.at;
  }
  return first;
}

DurationUs LastEnd(const std::vector<Fault>& faults) {
  DurationUs last = 0;
  for (const Fault& fault : faults) {
    if (fault.kind != Fault::Kind::kDeploy) last = std::max(last, fault.at + fault.length);
  }
  return last;
}

Expected ReadExpected(const ConfigNode& node, const std::vector<Fault>& faults, ErrorList* errors) {
  ConfigReader reader(node, "expect", errors);
  Expected expected;
  expected.severity = reader.RequiredString("severity");
  expected.component = reader.String("component");
  expected.category = reader.String("category");
  expected.classification = reader.String("classification");
  expected.suspect = reader.String("suspect");
  expected.names = reader.Strings("names");
  expected.not_names = reader.Strings("not_names");
  expected.advice = reader.String("advice");
  expected.escalate_to = reader.String("escalate_to");
  expected.since = reader.Duration("since", FirstStart(faults));
  expected.detected_within = reader.Duration("detected_within", kDayUs);
  expected.resolved_within = reader.Duration("resolved_within", 0);
  expected.users_min = OptionalCount(&reader, "users_min");
  expected.users_max = OptionalCount(&reader, "users_max");
  reader.Finish();
  return expected;
}

Case ReadCase(const ConfigNode* node, const char* what, ErrorList* errors) {
  Case run;
  if (node == nullptr) return run;
  ConfigReader reader(*node, what, errors);
  run.length = reader.Duration("length", kLengthDefault, kMinuteUs, 30 * kDayUs);
  run.faults = ReadFaults(reader.Node("faults"), errors);
  if (const ConfigNode* list = reader.Node("expect")) {
    for (const ConfigNode& one : list->list) {
      run.expected.push_back(ReadExpected(one, run.faults, errors));
    }
  }
  reader.Finish();
  return run;
}

std::string Minutes(DurationUs duration) {
  return absl::StrCat(duration / kMinuteUs, "m", duration % kMinuteUs / kSecondUs, "s");
}

std::string Describe(const Incident& incident) {
  std::string signals;
  for (const Signal& signal : incident.signals) {
    absl::StrAppend(
        &signals, "\n      ", signal.detector, " ", LabelsText(signal.series), " value ",
        FormatNumber(signal.value), " onset ", Minutes(signal.onset - Traffic::kStart), " fired ",
        Minutes(signal.fired_at - Traffic::kStart), " cleared ",
        signal.cleared_at == kNoTime ? "never" : Minutes(signal.cleared_at - Traffic::kStart));
  }
  std::vector<std::string> suspects;
  for (const Suspect& suspect : incident.suspects) {
    suspects.push_back(absl::StrCat(suspect.kind, " ", suspect.name));
  }
  return absl::StrCat(incident.number, " ", incident.severity, " ", incident.title, " [",
                      incident.component, "] ", incident.classification, " onset ",
                      Minutes(incident.onset - Traffic::kStart), " detected ",
                      Minutes(incident.detected_at - Traffic::kStart), " ",
                      ToAbsl(IncidentStateName(incident.state)),
                      incident.resolved_at == kNoTime
                          ? ""
                          : absl::StrCat(" ", Minutes(incident.resolved_at - Traffic::kStart)),
                      ", ", incident.severity_rule, ", suspects ", absl::StrJoin(suspects, "; "),
                      ", users ", incident.impact.users_affected.value_or(-1), signals);
}

void Judge(const Expected& expected, const Incident& incident, DurationUs end,
           std::vector<std::string>* problems) {
  const auto differs = [&](const char* what, std::string_view wanted, std::string_view is) {
    if (!wanted.empty() && wanted != is) {
      problems->push_back(absl::StrCat(what, " is '", ToAbsl(is), "', not '", ToAbsl(wanted), "'"));
    }
  };
  differs("severity", expected.severity, incident.severity);
  differs("component", expected.component, incident.component);
  differs("category", expected.category, CategoryName(incident.category));
  if (expected.classification != incident.classification) {
    problems->push_back(absl::StrCat("classification is '", incident.classification, "', not '",
                                     expected.classification, "'"));
  }
  const std::string suspect =
      incident.suspects.empty()
          ? "none"
          : absl::StrCat(incident.suspects[0].kind, " ", incident.suspects[0].name);
  differs("the first suspect", expected.suspect, suspect);
  const std::string line = incident.ToJson();
  for (const std::string& name : expected.names) {
    if (line.find(name) == line.npos) problems->push_back(absl::StrCat("does not name ", name));
  }
  for (const std::string& name : expected.not_names) {
    if (line.find(name) != line.npos) problems->push_back(absl::StrCat("names ", name));
  }
  const std::string advice =
      incident.advice.empty() ? "" : absl::AsciiStrToLower(incident.advice[0]);
  if (advice.find(absl::AsciiStrToLower(expected.advice)) == advice.npos) {
    problems->push_back(absl::StrCat("the first advice is '", advice, "'"));
  }
  if (!expected.escalate_to.empty() &&
      std::count(incident.escalate_to.begin(), incident.escalate_to.end(), expected.escalate_to) ==
          0) {
    problems->push_back(absl::StrCat("is not escalated to ", expected.escalate_to));
  }
  const DurationUs detected = incident.detected_at - Traffic::kStart - expected.since;
  if (detected < 0 || detected > expected.detected_within) {
    problems->push_back(absl::StrCat("detected after ", Minutes(detected), ", not within ",
                                     Minutes(expected.detected_within)));
  }
  if (expected.resolved_within > 0) {
    const DurationUs resolved = incident.resolved_at - Traffic::kStart - end;
    if (incident.resolved_at == kNoTime) {
      problems->push_back("is not resolved");
    } else if (resolved < 0 || resolved > expected.resolved_within) {
      problems->push_back(absl::StrCat("resolved ", Minutes(resolved),
                                       " after the end, not within ",
                                       Minutes(expected.resolved_within)));
    }
  }
  const std::int64_t users = incident.impact.users_affected.value_or(-1);
  if (users < expected.users_min.value_or(users) || users > expected.users_max.value_or(users)) {
    problems->push_back(absl::StrCat("says that ", users, " users are affected"));
  }
}

// A file of its own for every run of this process, removed at the end.
class TemporaryFile {
 public:
  TemporaryFile() {
    static std::atomic<int> next{0};
    path_ = (std::filesystem::temp_directory_path() /
             absl::StrCat("tocsin-golden-", getpid(), "-", next++, ".jsonl"))
                .string();
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

std::optional<Row> ReadRow(const std::string& path, ErrorList* errors) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  ErrorList own;
  const ConfigNode root = ParseYaml(text.str(), path, &own);
  ConfigReader reader(root, "", &own);
  Row row;
  row.id = reader.RequiredString("row");
  row.profile = reader.RequiredString("profile");
  row.why = reader.String("why");
  row.incident = ReadCase(reader.Node("incident"), "incident", &own);
  row.near_miss = ReadCase(reader.Node("near_miss"), "near_miss", &own);
  if (row.incident.expected.empty()) reader.Error("incident", "incident: expects nothing");
  if (row.near_miss.faults.empty()) reader.Error("near_miss", "near_miss: has no faults");
  reader.Finish();
  for (const ConfigError& error : own.Sorted()) errors->Add(error.at, error.message);
  if (!own.empty()) return std::nullopt;
  return row;
}

RunResult RunCase(const std::string& profile, const Case& run, std::uint64_t seed) {
  RunResult result;
  ErrorList errors;
  const std::optional<World> world = ReadWorld(WorldFile(profile), &errors);
  const std::optional<Config> config = LoadConfig("@" + profile, &errors);
  if (!world || !config) {
    for (const ConfigError& error : errors.Sorted()) result.problems.push_back(error.ToString());
    return result;
  }
  const TemporaryFile recording;
  {
    Traffic traffic(&*world, &run.faults, {.seed = seed, .length = run.length});
    std::ofstream out(recording.path());
    for (std::string line; traffic.Next(&line);) out << line << '\n';
  }
  std::map<Hash128, Incident> last;
  std::vector<Hash128> order;
  ReplayOptions options;
  options.config = &*config;
  options.inputs = {recording.path()};
  options.on_decision = [&](const Decision& decision) {
    for (const Incident& incident : decision.incidents) {
      if (last.insert_or_assign(incident.id, incident).second) order.push_back(incident.id);
    }
  };
  const absl::StatusOr<ReplayStats> stats = Replay(options);
  if (!stats.ok()) {
    result.problems.push_back(std::string(stats.status().message()));
    return result;
  }
  result.events = stats->events;
  if (stats->late + stats->quarantined + stats->undecodable > 0) {
    result.problems.push_back(absl::StrCat("the recording is broken: ", stats->ToJson()));
  }
  for (const Hash128& id : order) result.incidents.push_back(last.at(id));
  if (result.incidents.size() == run.expected.size()) {
    for (std::size_t i = 0; i < run.expected.size(); ++i) {
      Judge(run.expected[i], result.incidents[i], LastEnd(run.faults), &result.problems);
    }
  } else {
    result.problems.push_back(
        absl::StrCat(result.incidents.size(), " incidents, not ", run.expected.size()));
  }
  if (!result.problems.empty()) {
    for (const Incident& incident : result.incidents) {
      result.problems.push_back(absl::StrCat("  ", Describe(incident)));
    }
  }
  return result;
}

Case QuietCase(const World& world) {
  Case quiet;
  quiet.length = kQuietLength;
  DurationUs at = kHourUs;
  for (const World::Service& service : world.services) {
    Fault& deploy = quiet.faults.emplace_back();
    deploy.kind = Fault::Kind::kDeploy;
    deploy.at = at;
    deploy.length = kSecondUs;
    deploy.service = service.name;
    deploy.version = service.version + "-next";
    at += 20 * kMinuteUs;
  }
  return quiet;
}

std::string WorldFile(const std::string& profile) {
  return absl::StrCat(kWorldsFolder, "/", profile, ".yaml");
}

std::vector<std::string> YamlFiles(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace tocsin
