// What storms are labelled as, in worlds drawn from wide ranges (tests/golden/storm_world.h).
//
//   ./dev bench storms [SEED [WORLDS [WHICH]]]
//
// WORLDS of each kind, 200 unless said, once of the families that the rules were made with
// ("known"), once of those that were not looked at meanwhile ("held"); WHICH is one of these. Lists
// the wrong ones on standard error. The same for the same arguments. Exits with 1 when less than 95
// % of a kind are right.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/golden/storm_labels.h"

namespace tocsin {
namespace {

constexpr double kRightMin = 0.95;

int Run(std::uint64_t seed, int worlds, const std::string& which) {
  struct Half {
    const char* name;
    bool held_out;
    StormResults results = {};
  };
  std::vector<Half> halves;
  if (which != "held") halves.push_back({"Families that the rules were made with", false});
  if (which != "known") halves.push_back({"Families that were held out", true});
  {
    std::vector<std::jthread> threads;
    for (Half& half : halves) {
      threads.emplace_back([&half, seed, worlds] {
        half.results = RunStorms({.held_out = half.held_out, .worlds = worlds, .seed = seed});
      });
    }
  }
  bool met = true;
  for (const Half& half : halves) {
    std::printf("%s, seed %llu\n\n%s\n", half.name, static_cast<unsigned long long>(seed),
                half.results.Table().c_str());
    for (int k = 0; k < kStormKinds; ++k) {
      met = met && half.results.Right(static_cast<StormKind>(k)) >= kRightMin;
    }
    for (const StormOutcome& outcome : half.results.wrong()) {
      std::fprintf(stderr, "%s as '%s': %s: %s; %s %s\n",
                   kStormNames[static_cast<std::size_t>(outcome.kind)], outcome.label.c_str(),
                   outcome.world.c_str(), outcome.what.c_str(), outcome.reason.c_str(),
                   outcome.missing.c_str());
    }
  }
  std::printf("target: %g of each kind: %s\n", kRightMin, met ? "met" : "MISSED");
  return met ? 0 : 1;
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) {
  const auto number = [&](int at, long long otherwise) {
    return argc > at ? std::strtoll(argv[at], nullptr, 10) : otherwise;
  };
  return tocsin::Run(static_cast<std::uint64_t>(number(1, 1)), static_cast<int>(number(2, 200)),
                     argc > 3 ? argv[3] : "");
}
