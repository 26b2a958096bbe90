#include "tests/sim/poison.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "core/check.h"
#include "core/fact.h"
#include "tests/engine/text_decoder.h"
#include "tests/ingest/payload_seeds.h"

namespace tocsin::testing {
namespace {

constexpr DurationUs kHarmlessFrom = kHourUs;

// Whether something counts of what a decoder hands over.
class HarmSink final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    const bool is_near = event.time > kBase - kHarmlessFrom && event.time < kBase + kHarmlessFrom;
    harms_ = harms_ || is_near || Fact::Keeps(event) || event.type == EventType::kAlarm;
  }
  void OnUndecodable(std::string_view, std::string_view) override {}
  bool harms() const { return harms_; }

 private:
  bool harms_ = false;
};

using Words = std::vector<std::pair<std::string, std::string>>;

// The words of each line that has a time, which is the first one.
std::vector<Words> LinesOf(std::string_view text) {
  std::vector<Words> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    Words words;
    while (!line.empty()) {
      const std::size_t space = std::min(line.find(' '), line.size());
      const std::string_view word = line.substr(0, space);
      line.remove_prefix(std::min(space + 1, line.size()));
      const std::size_t equals = word.find('=');
      if (equals == std::string_view::npos) continue;
      words.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    }
    if (!words.empty() && words.front().first == "t") lines.push_back(std::move(words));
  }
  return lines;
}

TimeUs TimeOf(const Words& words) {
  std::int64_t ms = 0;
  const std::string& text = words.front().second;
  std::from_chars(text.data(), text.data() + text.size(), ms);
  return kBase + ms * kMillisecondUs;
}

std::string WordOf(const Words& words, std::string_view name) {
  for (const auto& [key, value] : words) {
    if (key == name) return value;
  }
  return "";
}

std::string JsonText(const Words& words) {
  std::string text = R"({"time":")" + FormatTime(TimeOf(words)) + '"';
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto& [key, value] = words[i];
    const bool is_number = key == "status" || key == "value";
    text += ",\"" + key + "\":" + (is_number ? value : '"' + value + '"');
  }
  return text + '}';
}

std::string LogfmtText(const Words& words) {
  std::string text = "time=" + FormatTime(TimeOf(words));
  for (std::size_t i = 1; i < words.size(); ++i)
    text += ' ' + words[i].first + '=' + words[i].second;
  return text + '\n';
}

std::string OtlpText(const Words& words) {
  return R"({"resource":{"attributes":[{"key":"service.name","value":{"stringValue":")" +
         WordOf(words, "service") + R"("}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":")" +
         std::to_string(TimeOf(words) * 1'000) + R"(","body":{"stringValue":")" +
         WordOf(words, "message") + R"("}}]}]})";
}

}  // namespace

const std::vector<std::string>& PoisonFormats() {
  static const std::vector<std::string> formats = {"json", "logfmt", "otlp-json"};
  return formats;
}

std::unique_ptr<Decoder> NewDecoderOf(const std::string& format) {
  InputConfig input;
  input.name = "app";
  input.format = format;
  ErrorList errors;
  std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  TOCSIN_CHECK(decoder != nullptr);
  return decoder;
}

std::string InFormat(const std::string& format, std::string_view text) {
  std::string record, separator;
  for (const Words& words : LinesOf(text)) {
    if (format == "logfmt") {
      record += LogfmtText(words);
      continue;
    }
    record +=
        std::exchange(separator, ",") + (format == "json" ? JsonText(words) : OtlpText(words));
  }
  if (format == "json") return '[' + record + ']';
  return format == "logfmt" ? record : R"({"resourceLogs":[)" + record + "]}";
}

std::string Poison::Candidate(const std::string& format, const std::string& good) {
  std::string record = good;
  const auto place = [&] { return random_() % (record.size() + 1); };
  switch (random_() % 9) {
    case 0:
      return OneIn(2) ? "" : " \n\t\n";
    case 1:
      return std::string(1 + random_() % 60'000, "a[{\"=\n"[random_() % 6]);
    case 2: {
      const std::string open = OneIn(2) ? "[" : "{\"a\":";
      for (std::uint64_t depth = random_() % 3'000; depth > 0; --depth) record = open + record;
      return record;
    }
    case 3:
      return record.substr(0, place());
    case 4:
      for (std::uint64_t flips = 1 + random_() % 8; flips > 0 && !record.empty(); --flips) {
        record[random_() % record.size()] ^= static_cast<char>(1u << (random_() % 8));
      }
      return record;
    case 5:
      return record.insert(place(), "\xff\xc0\xaf\xed\xa0\x80");
    case 6: {
      // Of any format, mangled.
      static constexpr const char* kFormats[] = {"json", "logfmt", "otlp-json", "otlp-proto",
                                                 "sentry"};
      const std::vector<PayloadSeed> seeds = SeedsOf(kFormats[random_() % 5]);
      const PayloadSeed& seed = seeds[random_() % seeds.size()];
      const std::vector<Change> changes = ChangesOf(seed.root);
      std::string payload =
          changes.empty() ? ""
                          : WithChanges(seed.root, {changes[random_() % changes.size()]}, 2'000);
      return seed.pack ? seed.pack(payload) : payload;
    }
    default: {
      const std::int64_t day_ms = 86'400'000;
      const std::int64_t time = OneIn(2) ? day_ms : -day_ms * 400;
      return InFormat(format, "t=" + std::to_string(time) +
                                  " type=request service=api status=503 message=exhausted\n");
    }
  }
}

std::string Poison::Draw(const std::string& format, TimeUs record_time, const std::string& good) {
  for (int tries = 0; tries < 4; ++tries) {
    std::string record = Candidate(format, good);
    HarmSink sink;
    NewDecoderOf(format)->Decode(record, record_time, &sink);
    if (!sink.harms()) return record;
  }
  return "\xff\xfe";
}

}  // namespace tocsin::testing
