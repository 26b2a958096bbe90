// How often the first suspect is the right one: the training issues of PetShop, a demo shop on AWS
// into which its authors injected slowness and errors.
//
//   TOCSIN_CORPUS=CORPUS ./dev bench suspects
//
// Reads CORPUS/topology/petshop/*/: `graph.csv` says which component calls which and becomes the
// topology; the metrics, one value a component and 5 minutes, become `metric` events; components
// are services. A level of each component's latency and availability comes from what it had while
// nothing was wrong, as somebody would set it: `noissue/` and the rows of the issue's own file that
// end before it was injected. Then the engine itself decides, and the suspects of the incident that
// holds the component where users felt it, or else of the largest one, are compared with the
// component that was tampered with.
//
// Two baselines on the same signals: one of the incident's components at random, and the one whose
// alarm came first, by lot among equals; both as expected shares. All issues have the same root
// cause, so this says how well suspects are found in this shop, not how well anywhere.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <simdjson.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/json_writer.h"
#include "replay/replayer.h"
#include "runtime/engine_setup.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

// What a component may do beyond its quiet times before it counts as an alarm.
constexpr double kQuietShare = 0.995;
constexpr double kLatencyRoom = 1.25;
constexpr double kAvailabilityRoom = 0.99;
constexpr TimeUs kRow = 5 * kMinuteUs;

struct Metric {
  std::string component, name;
  auto operator<=>(const Metric&) const = default;
};

// What one file says of each metric, in order of time.
using Samples = std::map<Metric, std::vector<std::pair<TimeUs, double>>>;

std::vector<std::vector<std::string>> ReadCsv(const fs::path& path) {
  std::vector<std::vector<std::string>> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) rows.push_back(absl::StrSplit(line, ','));
  return rows;
}

// Three rows of names (component, metric, statistic), one with the time's name, then the values.
Samples ReadMetrics(const fs::path& path) {
  Samples samples;
  const std::vector<std::vector<std::string>> rows = ReadCsv(path);
  for (std::size_t i = 4; i < rows.size(); ++i) {
    double seconds = 0;
    if (!absl::SimpleAtod(rows[i][0], &seconds)) continue;
    const TimeUs time = static_cast<TimeUs>(seconds) * kSecondUs;
    for (std::size_t column = 1; column < rows[i].size(); ++column) {
      double value = 0;
      if (rows[2][column] != "Average" || !absl::SimpleAtod(rows[i][column], &value)) continue;
      samples[{rows[0][column], rows[1][column]}].emplace_back(time, value);
    }
  }
  return samples;
}

// "  caller: [callee, …]" for each line with a call.
std::string TopologyYaml(const fs::path& path) {
  const std::vector<std::vector<std::string>> rows = ReadCsv(path);
  std::string yaml = "topology:\n";
  for (std::size_t i = 1; i < rows.size(); ++i) {
    std::vector<std::string> called;
    for (std::size_t column = 1; column < rows[i].size(); ++column) {
      double calls = 0;
      if (absl::SimpleAtod(rows[i][column], &calls) && calls > 0) {
        called.push_back("'" + rows[0][column] + "'");
      }
    }
    if (called.empty()) continue;
    absl::StrAppend(&yaml, "  '", rows[i][0], "': [", absl::StrJoin(called, ", "), "]\n");
  }
  return yaml;
}

std::string DetectorYaml(std::size_t number, const Metric& metric, std::vector<double> quiet) {
  std::sort(quiet.begin(), quiet.end());
  const auto last = static_cast<double>(quiet.size() - 1);
  const bool latency = metric.name == "latency";
  const double share = latency ? kQuietShare : 1 - kQuietShare;
  const double usual = quiet[static_cast<std::size_t>(share * last + (latency ? 0.5 : 0))];
  const std::string level =
      latency
          ? absl::StrCat("unit: absolute, critical: {above: ", usual * kLatencyRoom,
                         ", clear: ", usual * kLatencyRoom, ", for: 0s, level: 2}")
          : absl::StrCat("critical: {below: ", usual * kAvailabilityRoom, ", for: 0s, level: 2}");
  return absl::StrCat("  - {name: ", metric.name, "-", number,
                      ", kind: ", latency ? "saturation" : "state",
                      ", where: {type: metric, name: ", metric.name, ", service: '",
                      metric.component, "'}, by: [service], ", level, "}\n");
}

struct Issue {
  std::string felt, cause;  // components
  TimeUs injected = 0;
};

std::optional<Issue> ReadIssue(const fs::path& path) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::string_view felt, cause;
  std::int64_t injected = 0;
  if (parser.load(path.string()).get(root) || root.at_pointer("/target/node").get(felt) ||
      root.at_pointer("/root_cause/node").get(cause) ||
      root.at_pointer("/target/timestamp").get(injected)) {
    return std::nullopt;
  }
  return Issue{std::string(felt), std::string(cause), injected * kSecondUs};
}

struct Score {
  double first = 0, of_three = 0;
  void Add(const Score& other) {
    first += other.first;
    of_three += other.of_three;
  }
};

struct Scores {
  int issues = 0, incidents = 0, alarmed = 0;  // alarmed: the cause is among the signals
  Score suspects, random, earliest;
};

// The place of `name`, from 0; SIZE_MAX where it is not.
std::size_t PlaceOf(const std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? SIZE_MAX : static_cast<std::size_t>(found - names.begin());
}

Score ScoreOf(std::size_t place) {
  return {.first = place == 0 ? 1.0 : 0.0, .of_three = place < 3 ? 1.0 : 0.0};
}

// What is expected when the cause is one of `equals` that come after `before` others, by lot.
Score ByLot(std::size_t before, std::size_t equals) {
  const auto chance = [&](std::size_t places) {
    if (before >= places || equals == 0) return 0.0;
    return std::min(1.0, static_cast<double>(places - before) / static_cast<double>(equals));
  };
  return {.first = chance(1), .of_three = chance(3)};
}

void Append(const Samples& from, Samples* to) {
  for (const auto& [metric, values] : from) {
    std::vector<std::pair<TimeUs, double>>& all = (*to)[metric];
    all.insert(all.end(), values.begin(), values.end());
  }
}

std::string EventsOf(const Samples& samples) {
  std::multimap<TimeUs, std::string> events;
  for (const auto& [metric, values] : samples) {
    for (const auto& [time, value] : values) {
      JsonWriter json;
      json.BeginObject();
      json.Key("time").String(FormatTime(time));
      json.Key("type").String("metric");
      json.Key("service").String(metric.component);
      json.Key("name").String(metric.name);
      json.Key("value").Number(value);
      json.EndObject();
      events.emplace(time, json.Take());
    }
  }
  std::string text;
  for (const auto& [time, event] : events) absl::StrAppend(&text, event, "\n");
  return text;
}

// The last state of each incident.
std::optional<std::vector<Incident>> Decide(const std::string& yaml, const std::string& events) {
  const fs::path file = fs::temp_directory_path() / absl::StrCat("tocsin-suspects-", getpid());
  std::ofstream(file) << events;
  ErrorList errors;
  const std::optional<Config> config = LoadConfigText(yaml, "suspects", &errors);
  std::map<Hash128, Incident> incidents;
  absl::Status status = absl::InvalidArgumentError(ErrorsText(errors));
  if (config) {
    ReplayOptions options;
    options.config = &*config;
    options.inputs = {file.string()};
    options.threads = 1;
    options.on_decision = [&](const Decision& decision) {
      for (const Incident& incident : decision.incidents) incidents[incident.id] = incident;
    };
    status = Replay(options).status();
  }
  fs::remove(file);
  if (!status.ok()) {
    std::fprintf(stderr, "suspects: %s\n", std::string(status.message()).c_str());
    return std::nullopt;
  }
  std::vector<Incident> last;
  for (auto& [id, incident] : incidents) last.push_back(std::move(incident));
  return last;
}

// The onset of each component's first alarm.
std::map<std::string, TimeUs> OnsetsOf(const Incident& incident) {
  std::map<std::string, TimeUs> onsets;
  for (const Signal& signal : incident.signals) {
    const std::string component(LabelValue(signal.series, "service"));
    const auto known = onsets.emplace(component, signal.onset).first;
    known->second = std::min(known->second, signal.onset);
  }
  return onsets;
}

void AddIssue(const Issue& issue, const std::vector<Incident>& incidents, Scores* scores) {
  ++scores->issues;
  const auto felt = std::max_element(
      incidents.begin(), incidents.end(), [&](const Incident& a, const Incident& b) {
        const auto rank = [&](const Incident& incident) {
          return std::pair(OnsetsOf(incident).contains(issue.felt), incident.signals.size());
        };
        return rank(a) < rank(b);
      });
  if (felt == incidents.end()) return;
  ++scores->incidents;
  std::vector<std::string> suspects;
  for (const Suspect& suspect : felt->suspects) suspects.push_back(suspect.name);
  // With one component there is nothing to rank: it is what the page names.
  if (suspects.empty()) suspects.push_back(felt->component);
  scores->suspects.Add(ScoreOf(PlaceOf(suspects, issue.cause)));

  const std::map<std::string, TimeUs> onsets = OnsetsOf(*felt);
  const auto cause = onsets.find(issue.cause);
  if (cause == onsets.end()) return;
  ++scores->alarmed;
  std::size_t before = 0;
  std::size_t equals = 0;
  for (const auto& [component, onset] : onsets) {
    before += onset < cause->second ? 1 : 0;
    equals += onset == cause->second ? 1 : 0;
  }
  scores->random.Add(ByLot(0, onsets.size()));
  scores->earliest.Add(ByLot(before, equals));
}

std::vector<fs::path> Directories(const fs::path& path) {
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    if (entry.is_directory()) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool RunTraffic(const fs::path& traffic, const Samples& noissue, Scores* scores) {
  const std::string topology = TopologyYaml(traffic / "graph.csv");
  for (const fs::path& directory : Directories(traffic / "train")) {
    const std::optional<Issue> issue = ReadIssue(directory / "target.json");
    if (!issue) {
      std::fprintf(stderr, "suspects: cannot read %s\n", directory.c_str());
      return false;
    }
    const Samples samples = ReadMetrics(directory / "metrics.csv");
    std::string yaml = absl::StrCat("pane: 5m\ninputs: [{name: petshop, file: x, delay: 5m}]\n",
                                    topology, "detectors:\n");
    std::size_t number = 0;
    for (const auto& [metric, values] : samples) {
      if (metric.name != "latency" && metric.name != "availability") continue;
      std::vector<double> quiet;
      if (const auto known = noissue.find(metric); known != noissue.end()) {
        for (const auto& [time, value] : known->second) quiet.push_back(value);
      }
      for (const auto& [time, value] : values) {
        if (time + kRow <= issue->injected) quiet.push_back(value);
      }
      if (!quiet.empty()) absl::StrAppend(&yaml, DetectorYaml(++number, metric, quiet));
    }
    const auto incidents = Decide(yaml, EventsOf(samples));
    if (!incidents) return false;
    AddIssue(*issue, *incidents, scores);
  }
  return true;
}

int Main(const fs::path& petshop) {
  const std::vector<fs::path> traffics = Directories(petshop);
  // Two of the recordings have no quiet part of their own; they have those of the others.
  Samples all_quiet;
  std::map<fs::path, Samples> quiet_of;
  for (const fs::path& traffic : traffics) {
    if (!fs::exists(traffic / "noissue")) continue;
    quiet_of[traffic] = ReadMetrics(traffic / "noissue" / "metrics.csv");
    Append(quiet_of[traffic], &all_quiet);
  }
  std::printf("%-18s %7s %9s %8s   %-15s %-15s %-15s\n", "", "", "", "cause", "suspects",
              "earliest", "random");
  std::printf("%-18s %7s %9s %8s   %7s %7s %7s %7s %7s %7s\n", "traffic", "issues", "incidents",
              "alarmed", "top 1", "top 3", "top 1", "top 3", "top 1", "top 3");
  Scores sum;
  const auto print = [](const std::string& name, const Scores& scores) {
    const auto percent = [&](double right) { return 100 * right / scores.issues; };
    std::printf("%-18s %7d %9d %8d   %5.0f %% %5.0f %% %5.0f %% %5.0f %% %5.0f %% %5.0f %%\n",
                name.c_str(), scores.issues, scores.incidents, scores.alarmed,
                percent(scores.suspects.first), percent(scores.suspects.of_three),
                percent(scores.earliest.first), percent(scores.earliest.of_three),
                percent(scores.random.first), percent(scores.random.of_three));
  };
  for (const fs::path& traffic : traffics) {
    Scores scores;
    const auto quiet = quiet_of.find(traffic);
    if (!RunTraffic(traffic, quiet == quiet_of.end() ? all_quiet : quiet->second, &scores)) {
      return 3;
    }
    print(traffic.filename(), scores);
    sum.issues += scores.issues;
    sum.incidents += scores.incidents;
    sum.alarmed += scores.alarmed;
    sum.suspects.Add(scores.suspects);
    sum.earliest.Add(scores.earliest);
    sum.random.Add(scores.random);
  }
  print("all", sum);
  return sum.issues > 0 ? 0 : 3;
}

}  // namespace
}  // namespace tocsin

int main() {
  const char* const corpus = std::getenv("TOCSIN_CORPUS");
  const std::filesystem::path petshop =
      std::filesystem::path(corpus == nullptr ? "" : corpus) / "topology" / "petshop";
  if (corpus == nullptr || !std::filesystem::is_directory(petshop)) {
    std::printf("suspects: skipped; set TOCSIN_CORPUS to a directory that has topology/petshop\n");
    return 0;
  }
  return tocsin::Main(petshop);
}
