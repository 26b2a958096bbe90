#include "tests/sim/outcome.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/hash.h"
#include "engine/decider.h"
#include "engine/tick_assembler.h"

namespace tocsin::testing {
namespace {

std::string FactsText(const AssembledTick& tick) {
  std::string text = FormatTime(tick.tick);
  for (const Fact& fact : tick.facts) text += ' ' + fact.id + '@' + FormatTime(fact.time);
  return text;
}

std::string FirstDifference(const std::string& what, const std::vector<std::string>& expected,
                            const std::vector<std::string>& actual) {
  for (std::size_t i = 0; i < std::max(expected.size(), actual.size()); ++i) {
    const std::string want = i < expected.size() ? expected[i] : "nothing";
    const std::string have = i < actual.size() ? actual[i] : "nothing";
    if (want != have)
      return what + ' ' + std::to_string(i) + ": expected\n" + want + "\ngot\n" + have;
  }
  return "";
}

}  // namespace

void SimOutput::Add(const OutputLine& line) {
  lines.push_back(FormatTime(line.tick) +
                  (line.kind == LineKind::kSignal ? " signal " : " incident ") + line.text);
}

void SimOutput::Add(const std::vector<Notification>& told) {
  for (const Notification& one : told) {
    const std::string id = DeliveryId("sink", one.incident.id, one.level, one.action).Hex();
    const std::string text = FormatTime(one.tick) + ' ' +
                             std::string(NotificationActionName(one.action)) + ' ' +
                             std::to_string(one.level) + ' ' + one.incident.ToJson();
    const auto [known, fresh] = notifications.emplace(id, text);
    if (!fresh && known->second != text) contradiction = known->second + "\nand then\n" + text;
  }
}

std::string Difference(const SimOutput& expected, const SimOutput& actual) {
  if (!actual.contradiction.empty()) return actual.contradiction;
  if (std::string text = FirstDifference("facts", expected.facts, actual.facts); !text.empty()) {
    return text;
  }
  if (std::string text = FirstDifference("line", expected.lines, actual.lines); !text.empty()) {
    return text;
  }
  std::vector<std::string> want, have;
  for (const auto& [id, text] : expected.notifications) want.push_back(id + ' ' + text);
  for (const auto& [id, text] : actual.notifications) have.push_back(id + ' ' + text);
  return FirstDifference("notification", want, have);
}

SimOutput ReadUndisturbed(const EngineSetup& setup, const std::vector<std::string>& records) {
  SimOutput output;
  Decider decider(&setup.config, &setup.plan, &setup.detectors, SequentialExecutor());
  for (const std::string& record : records) {
    TOCSIN_CHECK(decider.Append(record).ok());
    Decision decision;
    while (decider.Step(&decision)) {
      for (const OutputLine& line : decision.lines) output.Add(line);
      output.Add(decision.notifications);
    }
  }
  output.facts = FactsOf(setup, records);
  return output;
}

// From an assembler of its own: a decision does not tell them.
std::vector<std::string> FactsOf(const EngineSetup& setup,
                                 const std::vector<std::string>& records) {
  std::vector<std::string> facts;
  TickAssembler assembler(&setup.plan);
  for (const std::string& record : records) {
    TOCSIN_CHECK(assembler.Append(record).ok());
    AssembledTick tick;
    while (assembler.Next(&tick)) {
      if (!tick.facts.empty()) facts.push_back(FactsText(tick));
    }
  }
  return facts;
}

}  // namespace tocsin::testing
