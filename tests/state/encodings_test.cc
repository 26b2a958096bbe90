// The gate: what a released format wrote stays readable, and an encoding that changes says so.
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "core/state_format.h"
#include "engine/decider.h"
#include "tests/engine/setup.h"
#include "tests/state/canned.h"

namespace tocsin::testing {
namespace {

// How to write the file of the present format anew.
constexpr const char* kRecord = "TOCSIN_RECORD=1 build/dev/tests/bin/state_encodings_test";

struct Recorded {
  int version = 0;
  std::string bytes;
};

std::string PathOf(int format) {
  return "tests/fixtures/encodings-" + std::to_string(format) + ".txt";
}

std::string Hex(const std::string& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char byte : bytes) {
    hex += kDigits[static_cast<unsigned char>(byte) >> 4];
    hex += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return hex;
}

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

// A line each: name, version, bytes.
std::map<std::string, Recorded> Read(int format) {
  std::map<std::string, Recorded> recorded;
  std::ifstream file(PathOf(format));
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name, hex;
    Recorded one;
    if (!(words >> name >> one.version >> hex)) continue;
    one.bytes = FromHex(hex);
    recorded[name] = one;
  }
  return recorded;
}

void Record() {
  std::ofstream file(PathOf(kStateFormat));
  for (const CannedEncoding& encoding : CannedEncodings(kStateFormat)) {
    file << encoding.name << ' ' << encoding.version << ' ' << Hex(encoding.bytes) << '\n';
  }
}

TEST(Encodings, AreThoseThatAreRecordedForThisFormat) {
  if (std::getenv("TOCSIN_RECORD") != nullptr) Record();
  std::map<std::string, Recorded> recorded = Read(kStateFormat);
  const std::string remedy =
      "kStateFormat is still " + std::to_string(kStateFormat) +
      ". If a release has written that format: raise it, let the decoder ask for what is new from "
      "then on (a detector may raise its StateVersion instead), and keep the old file. Then: " +
      kRecord;
  for (const CannedEncoding& encoding : CannedEncodings(kStateFormat)) {
    const auto found = recorded.find(encoding.name);
    if (found == recorded.end()) {
      ADD_FAILURE() << encoding.name << " is not recorded: " << kRecord;
      continue;
    }
    const Recorded one = found->second;
    recorded.erase(found);
    if (one.version != encoding.version) {
      ADD_FAILURE() << encoding.name << " has another version: " << kRecord;
      continue;
    }
    if (!encoding.driven) {
      EXPECT_TRUE(encoding.bytes == one.bytes)
          << "the encoding of '" << encoding.name << "' changed. " << remedy;
    }
    EXPECT_TRUE(Reencoded(encoding.name, one.bytes, kStateFormat) == one.bytes)
        << "the layout of '" << encoding.name << "' changed. " << remedy;
  }
  for (const auto& [name, one] : recorded) {
    ADD_FAILURE() << name << " is recorded and written by nobody: " << kRecord;
  }
}

TEST(Encodings, OfEarlierFormatsAreRead) {
  for (int format = kStateFormatOldest; format < kStateFormat; ++format) {
    const std::map<std::string, Recorded> recorded = Read(format);
    EXPECT_FALSE(recorded.empty()) << PathOf(format) << " is missing";
    std::map<std::string, CannedEncoding> values;
    for (CannedEncoding& value : CannedEncodings(format)) values[value.name] = std::move(value);
    for (const auto& [name, one] : recorded) {
      const auto value = values.find(name);
      // What no build writes any more, or a state that is learned again.
      if (value == values.end() || value->second.version != one.version) continue;
      const std::optional<std::string> again = Reencoded(name, one.bytes, format);
      ASSERT_TRUE(again.has_value())
          << "'" << name << "' of format " << format << " cannot be read any more";
      if (!value->second.driven) {
        EXPECT_TRUE(*again == value->second.bytes)
            << "'" << name << "' of format " << format << " is read as something else";
      }
    }
  }
}

// Profiles change with a build, and format 5 does not tell a threshold from a filter.
TEST(Encodings, WhatFiredInFormat5FiresOnWithAnotherThreshold) {
  const std::map<std::string, Recorded> recorded = Read(5);
  ASSERT_TRUE(recorded.contains("snapshot"));
  std::string yaml = CannedYaml();
  yaml.replace(yaml.find("above: 50%"), 10, "above: 40%");
  const std::unique_ptr<EngineSetup> setup = EngineSetup::From(yaml);
  ASSERT_NE(setup, nullptr);
  Decider decider(&setup->config, &setup->plan, &setup->detectors, SequentialExecutor());
  ASSERT_TRUE(decider.Restore(recorded.at("snapshot").bytes).ok());
  ASSERT_EQ(decider.lost().size(), 1u);
  const std::vector<const Incident*> open = decider.correlator().Open();
  ASSERT_FALSE(open.empty());
  PaneBatch batch;
  batch.tick = decider.assembler().next_tick();
  batch.first_tick = batch.tick;
  for (const std::string& source : decider.assembler().Sources()) {
    batch.source = source;
    ASSERT_TRUE(decider.Append(EncodeBatch(batch, setup->plan)[0]).ok());
  }
  Decision decision;
  ASSERT_TRUE(decider.Step(&decision));
  for (const SignalChange& change : decision.signals) {
    EXPECT_NE(change.signal.detector, "errors");
  }
}

// What is cut off or damaged is refused, and read no further.
TEST(Encodings, RefuseWhatIsCutOff) {
  for (const CannedEncoding& encoding : CannedEncodings(kStateFormat)) {
    const std::string& bytes = encoding.bytes;
    for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 40) {
      EXPECT_FALSE(Reencoded(encoding.name, bytes.substr(0, size), kStateFormat).has_value())
          << encoding.name << ", " << size << " of " << bytes.size() << " bytes";
    }
    EXPECT_FALSE(Reencoded(encoding.name, bytes + '\1', kStateFormat).has_value()) << encoding.name;
  }
}

}  // namespace
}  // namespace tocsin::testing
