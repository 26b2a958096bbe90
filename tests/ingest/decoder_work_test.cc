// Decoding any payload takes work and memory linear in its size: tests every format of the registry
// with hostile payloads made from valid ones, and with bytes that no format expects.
//
// Work is counted, not timed (work_counter.h).

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "ingest/decoder.h"
#include "ingest/json/payload_budget.h"
#include "tests/ingest/hostile_payloads.h"
#include "tests/ingest/payload_seeds.h"
#include "tests/ingest/work_bounds.h"
#include "tests/ingest/work_counter.h"

namespace tocsin {
namespace {

class CountingSink final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    ++results_;
    texts_ += TextBytesOf(event);
    EXPECT_LE(event.labels.size(), limits::kLabelsMax);
  }
  void OnUndecodable(std::string_view, std::string_view) override { ++results_; }
  void OnSkipped(std::string_view, std::string_view) override { ++results_; }

  std::uint64_t results() const { return results_; }
  std::uint64_t texts() const { return texts_; }

 private:
  std::uint64_t results_ = 0;
  std::uint64_t texts_ = 0;
};

struct Decoded {
  Work work;
  std::size_t bytes = 0;
};

// Texts that events have: those of a series or a resource as often as budgets allow, and each byte
// of the payload in a few fields and labels.
constexpr std::uint64_t kTextsPerByte = limits::kSeriesFactor + limits::kResourcesFactor + 16;
constexpr std::uint64_t kTextsFixed = 256 << 10;  // constants of the input's, in every event

// Small, as there are many pairs.
constexpr std::size_t kPairBytes = 4 << 10;

class DecoderWork : public testing::TestWithParam<std::string> {
 protected:
  // With a new decoder, and again with the same one: remembered state must not make it slower.
  static Decoded Decode(const InputConfig& input, const std::string& payload, std::size_t bytes) {
    ErrorList errors;
    const std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
    for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
    Decoded decoded{.work = {}, .bytes = bytes};
    for (int round = 0; round < 2; ++round) {
      CountingSink sink;
      const WorkCounter counter;
      decoder->Decode(payload, kSecondUs, &sink);
      const Work work = counter.Done();
      EXPECT_EQ(BeyondBounds(work, bytes), "");
      EXPECT_LE(sink.results(), bytes + 1);
      EXPECT_LE(sink.texts(), kTextsPerByte * bytes + kTextsFixed);
      if (round == 0) decoded.work = work;
    }
    return decoded;
  }

  static Decoded Decode(const PayloadSeed& seed, const std::vector<Change>& changes,
                        std::size_t bytes) {
    const std::string text = WithChanges(seed.root, changes, bytes / changes.size());
    const std::string payload = seed.pack ? seed.pack(text) : text;
    return Decode(seed.input, payload, std::max(text.size(), payload.size()));
  }

  static std::string TextOfAll(const std::vector<Change>& changes) {
    std::string text;
    for (const Change& change : changes) text += (text.empty() ? "" : ", and ") + TextOf(change);
    return text;
  }

  // How per byte more was done than for the smaller payload, but for what is rounded; empty: not.
  static std::string MorePerByte(const Decoded& small, const Decoded& large) {
    const double growth = static_cast<double>(large.bytes) / static_cast<double>(small.bytes);
    std::string more;
    const auto check = [&](const char* what, std::uint64_t few, std::uint64_t many) {
      if (static_cast<double>(many) <= 1.6 * growth * static_cast<double>(few) + 200'000) return;
      more += std::string(what) + ": " + std::to_string(few) + " for " +
              std::to_string(small.bytes) + " bytes, " + std::to_string(many) + " for " +
              std::to_string(large.bytes) + "\n";
    };
    check("steps", small.work.steps, large.work.steps);
    check("bytes moved", small.work.moved, large.work.moved);
    check("bytes allocated", small.work.allocated, large.work.allocated);
    return more;
  }
};

TEST_P(DecoderWork, OfHostilePayloads) {
  const std::vector<PayloadSeed> seeds = SeedsOf(GetParam());
  ASSERT_FALSE(seeds.empty()) << "no seed: add one to tests/ingest/payload_seeds.cc";
  for (std::size_t number = 0; number < seeds.size(); ++number) {
    const PayloadSeed& seed = seeds[number];
    for (const Change& change : ChangesOf(seed.root)) {
      SCOPED_TRACE("seed " + std::to_string(number) + ": " + TextOf(change));
      const Decoded small = Decode(seed, {change}, 16 << 10);
      EXPECT_EQ(MorePerByte(small, Decode(seed, {change}, 64 << 10)), "");
      if (HasFailure()) return;
    }
  }
}

// Two parts at once: work that grows with the product of two sizes is several times as much per
// byte.
TEST_P(DecoderWork, OfTwoHostileParts) {
  for (const PayloadSeed& seed : SeedsOf(GetParam())) {
    if (!seed.input.message_format.empty()) continue;  // as that format by itself
    const std::vector<Change> changes = ChangesOf(seed.root);
    std::vector<std::uint64_t> alone;
    for (const Change& change : changes) {
      alone.push_back(Decode(seed, {change}, kPairBytes / 2).work.steps);
    }
    for (std::size_t i = 0; i < changes.size(); ++i) {
      for (std::size_t j = i + 1; j < changes.size(); ++j) {
        const std::vector<Change> both = {changes[i], changes[j]};
        SCOPED_TRACE(TextOfAll(both));
        const Decoded decoded = Decode(seed, both, kPairBytes);
        // More than both alone is looked at again: first cheaply, then where every budget, which
        // is a multiple of the payload's size, has long been spent.
        if (decoded.work.steps > alone[i] + alone[j] + alone[i] / 4 + 2'000 &&
            !MorePerByte(decoded, Decode(seed, both, 4 * kPairBytes)).empty()) {
          EXPECT_EQ(
              MorePerByte(Decode(seed, both, 16 * kPairBytes), Decode(seed, both, 64 * kPairBytes)),
              "");
        }
        if (HasFailure()) return;
      }
    }
  }
}

TEST_P(DecoderWork, OfBytesThatNobodyExpects) {
  const std::vector<PayloadSeed> seeds = SeedsOf(GetParam());
  ASSERT_FALSE(seeds.empty());
  for (const std::string_view unit :
       {"{}",       "[]",      "{},",          "[",       "{",    "]",           "}",
        ",",        "\"",      "\\",           "\\\"",    ":",    "=",           "a=",
        " ",        "\n",      "\r\n",         "\t",      "a",    "0",           "\xFF",
        "\xC3",     "\x0A",    "\x0A\x02\x0A", "{\"a\":", "[[],", "{\"a\":1}\n", "a b\n",
        "<13>",     "a=\"",    "a=\"\\\"\" ",  "=\"\",",  " [",   ":  ",         "H4sI",
        "\x1F\x8B", "\x78\x9C"}) {
    for (const std::size_t bytes : {std::size_t{20'000}, std::size_t{200'000}}) {
      for (const std::string_view begin : {"", "[", "{\"a\":[", "\x0A"}) {
        std::string payload(begin);
        while (payload.size() < bytes) payload += unit;
        SCOPED_TRACE(payload.substr(0, 20) + " of " + std::to_string(payload.size()));
        Decode(seeds.front().input, payload, PayloadBytes(GetParam(), payload.size()));
        if (HasFailure()) return;
      }
    }
  }
}

std::string NameOf(const testing::TestParamInfo<std::string>& format) {
  std::string name = format.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Formats, DecoderWork, testing::ValuesIn(DecoderNames()), NameOf);

}  // namespace
}  // namespace tocsin
