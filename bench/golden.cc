// Every golden scenario with several seeds: does the engine say exactly what the runbook asks for?
//
//   ./dev bench golden          # seeds 1 to 5
//   ./dev bench golden 20
//   ./dev bench golden 5 pool   # rows whose file name contains this
//
// Prints a line a row: how many of the runs of its incident and of its near miss were as expected,
// and how long detection took (median over the seeds, of the first incident, from its first fault);
// then the quiet runs; then what differed. Exit status 1 if anything did. Run in the root of the
// source tree, as ./dev does.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/golden/row.h"
#include "tests/golden/traffic.h"

namespace tocsin {
namespace {

struct Tally {
  int good = 0;
  std::vector<std::string> problems;
  std::vector<DurationUs> detected_after;

  void Add(const std::string& what, std::uint64_t seed, const RunResult& result) {
    if (result.problems.empty()) {
      ++good;
      return;
    }
    problems.push_back(what + ", seed " + std::to_string(seed) + ":");
    problems.insert(problems.end(), result.problems.begin(), result.problems.end());
  }
  DurationUs MedianDetection() {
    if (detected_after.empty()) return 0;
    std::sort(detected_after.begin(), detected_after.end());
    return detected_after[detected_after.size() / 2];
  }
};

bool Report(const ErrorList& errors) {
  for (const ConfigError& error : errors.Sorted()) {
    std::fprintf(stderr, "%s\n", error.ToString().c_str());
  }
  return errors.empty();
}

int Main(std::uint64_t seeds, const std::string& filter) {
  std::vector<std::string> problems;
  const auto keep = [&problems](const Tally& tally) {
    problems.insert(problems.end(), tally.problems.begin(), tally.problems.end());
  };
  const auto wanted = [&filter](const std::string& file) { return file.find(filter) != file.npos; };
  std::printf("%-34s %10s %10s %12s\n", "row", "incident", "near miss", "detected in");
  for (const std::string& file : YamlFiles(kRowsFolder)) {
    if (!wanted(file)) continue;
    ErrorList errors;
    const std::optional<Row> row = ReadRow(file, &errors);
    if (!Report(errors)) return 3;
    Tally incident, near_miss;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const RunResult result = RunCase(row->profile, row->incident, seed);
      incident.Add(file + ", incident", seed, result);
      if (!result.incidents.empty()) {
        incident.detected_after.push_back(result.incidents[0].detected_at - Traffic::kStart -
                                          row->incident.expected[0].since);
      }
      near_miss.Add(file + ", near miss", seed, RunCase(row->profile, row->near_miss, seed));
    }
    const std::string name = std::filesystem::path(file).stem().string();
    std::printf("%-34s %6d/%-3d %6d/%-3d %10.0f s\n", name.c_str(), incident.good,
                static_cast<int>(seeds), near_miss.good, static_cast<int>(seeds),
                static_cast<double>(incident.MedianDetection()) / kSecondUs);
    std::fflush(stdout);
    keep(incident);
    keep(near_miss);
  }
  for (const std::string& file : YamlFiles(kWorldsFolder)) {
    if (!wanted(file)) continue;
    ErrorList errors;
    const std::optional<World> world = ReadWorld(file, &errors);
    if (!Report(errors)) return 3;
    const std::string profile = std::filesystem::path(file).stem().string();
    Tally quiet;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      quiet.Add(file + ", quiet", seed, RunCase(profile, QuietCase(*world), seed));
    }
    std::printf("%-34s %6d/%-3d quiet runs of 3 h\n", profile.c_str(), quiet.good,
                static_cast<int>(seeds));
    keep(quiet);
  }
  for (const std::string& problem : problems) std::printf("%s\n", problem.c_str());
  return problems.empty() ? 0 : 1;
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) {
  const int seeds = argc > 1 ? std::atoi(argv[1]) : 5;
  return tocsin::Main(static_cast<std::uint64_t>(std::max(1, seeds)), argc > 2 ? argv[2] : "");
}
