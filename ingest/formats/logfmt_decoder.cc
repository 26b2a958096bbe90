// logfmt: key=value pairs separated by blanks, one event per line.
//
//   ts=2026-05-17T10:05:03.123Z level=warn msg="slow \"query\"" method=GET path=/a took=1.5s
//
// https://pkg.go.dev/github.com/go-logfmt/logfmt
//
// Keys are the canonical names and those in field_presets.cc; `map:` adds others. A key without a
// value is ignored. Values are views of the line; only values with escapes are copied.
//
// A few templates (logfmt_template.h) read the most frequent kinds of lines. The parser in this
// file reads all others, and the templates learn from them.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <simdjson.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "core/ascii.h"
#include "ingest/decoder.h"
#include "ingest/fields/event_builder.h"
#include "ingest/fields/field_presets.h"
#include "ingest/formats/logfmt_template.h"
#include "ingest/text/text_lines.h"

namespace tocsin {
namespace {

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

bool IsBlank(char c) { return static_cast<unsigned char>(c) <= ' '; }

// A key and its equals sign, which can be found at a position with one comparison: the lines of a
// stream mostly have the same keys in the same order. A key of 16 bytes or more is never found.
class PredictedKey {
 public:
  static constexpr std::size_t kBytes = 16;

  PredictedKey() = default;
  PredictedKey(std::string_view name, const FieldEntry* entry) : entry_(entry) {
    if (name.size() >= kBytes) return;
    std::copy(name.begin(), name.end(), bytes_);
    bytes_[name.size()] = '=';
    length_ = static_cast<unsigned>(name.size()) + 1;
    mask_ = (1u << length_) - 1;
  }

  // REQUIRES: kBytes bytes are readable at `at`.
  bool StandsAt(const char* at) const {
#ifdef __SSE2__
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i wanted = _mm_load_si128(reinterpret_cast<const __m128i*>(bytes_));
    const auto same = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted)));
    return (same & mask_) == mask_;
#else
    return length_ > 0 && std::memcmp(at, bytes_, length_) == 0;
#endif
  }
  unsigned length() const { return length_; }
  const FieldEntry* entry() const { return entry_; }

 private:
  alignas(16) char bytes_[kBytes] = {};
  unsigned mask_ = ~0u;  // bit mask of the bytes to compare; this default never matches
  unsigned length_ = 0;
  const FieldEntry* entry_ = nullptr;
};

// Finds the end of a key or a value, 64 bytes at a time. Never reads past the end of the line.
class StopFinder {
 public:
  explicit StopFinder(std::string_view line)
      : begin_(line.data()), end_(begin_ + line.size()), block_(begin_), block_end_(begin_) {}

  // The first blank, quote or equals sign at or after `at`; the line's end if there is none.
  const char* WordEnd(const char* at) {
#ifdef __SSE2__
    if (end_ - begin_ >= kBlock) return Next(at, &words_);
#endif
    for (; at < end_ && !IsBlank(*at) && *at != '=' && *at != '"'; ++at) Note(*at);
    return at;
  }
  // The first quote or backslash at or after `at`; the line's end if there is none.
  const char* Quote(const char* at) {
#ifdef __SSE2__
    if (end_ - begin_ >= kBlock) return Next(at, &quotes_);
#endif
    for (; at < end_ && *at != '"' && *at != '\\'; ++at) Note(*at);
    return at;
  }
  // Whether all bytes that were scanned are ASCII.
  bool ascii() const { return (high_ & 0x80) == 0; }

 private:
  void Note(char c) { high_ |= static_cast<unsigned char>(c); }
#ifdef __SSE2__
  static constexpr std::ptrdiff_t kBlock = 64;

  const char* Next(const char* at, const std::uint64_t* stops) {
    for (;;) {
      if (at < block_end_) {
        const std::uint64_t found = *stops >> (at - block_);
        if (found != 0) return at + std::countr_zero(found);
        at = block_end_;
      }
      if (at >= end_) return end_;
      // Close to the line's end, the block begins before `at`; its first bytes are ignored.
      block_ = std::min(at, end_ - kBlock);
      block_end_ = block_ + kBlock;
      words_ = quotes_ = 0;
      for (int i = 0; i < 4; ++i) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block_ + 16 * i));
        const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
        const __m128i blank = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(' ')), bytes);
        const __m128i equals = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('='));
        const __m128i escape = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
        words_ |= Mask(_mm_or_si128(_mm_or_si128(blank, equals), quote)) << (16 * i);
        quotes_ |= Mask(_mm_or_si128(quote, escape)) << (16 * i);
        high_ |= Mask(bytes) != 0 ? 0x80u : 0u;
      }
    }
  }
  static std::uint64_t Mask(__m128i bytes) {
    return static_cast<unsigned>(_mm_movemask_epi8(bytes));
  }
#endif

  const char* const begin_;
  const char* const end_;
  // The block that was read last, and bit masks of the stops in it.
  const char* block_;
  const char* block_end_;
  std::uint64_t words_ = 0;
  std::uint64_t quotes_ = 0;
  unsigned high_ = 0;
};

class LogfmtDecoder final : public Decoder {
 public:
  LogfmtDecoder(const InputConfig& input, ErrorList* errors)
      : fields_(input.map, errors, FindPreset("logfmt")), builder_(&fields_, input) {
    for (Known& known : known_) known.lines = std::make_unique<LogfmtTemplate>(&fields_, input);
  }

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    DecodeLines(record, record.data() + record.size(), record_time, sink);
  }
  void DecodePadded(std::string_view record, TimeUs record_time, EventSink* sink) override {
    DecodeLines(record, record.data() + record.size() + kDecodePadding, record_time, sink);
  }

 private:
  // A template and its usefulness; the template with the least credit is replaced.
  struct Known {
    static constexpr int kCreditMax = 64;
    static constexpr int kFirstCredit = 8;

    std::unique_ptr<LogfmtTemplate> lines;
    int credit = 0;
  };

  void DecodeLines(std::string_view record, const char* readable_end, TimeUs record_time,
                   EventSink* sink);
  // Reads a line with one of the templates and returns its end; nullptr if none matches.
  const char* ReadKnown(std::string_view record, TimeUs record_time, EventSink* sink);
  void DecodeLine(std::string_view line, TimeUs record_time, EventSink* sink);
  EventFault Read(std::string_view line, StopFinder* stops);
  void Learn(std::string_view line, TimeUs record_time);
  // Reads a value from after its opening quote, and returns the position after the closing quote;
  // nullptr if there is no closing quote or if an escape is invalid.
  const char* ReadQuoted(const char* begin, const char* end, StopFinder* stops,
                         std::string_view* value);
  const FieldEntry* Find(std::string_view key);
  bool Unescape(std::string_view text);
  bool AppendUnicode(std::string_view text, std::size_t* at);
  void TakeServiceTime();

  FieldMap fields_;
  EventBuilder builder_;
  std::array<PredictedKey, 64> predicted_;
  std::string unescaped_;
  const char* readable_end_ = nullptr;
  // The current line:
  std::array<LogfmtPair, LogfmtTemplate::kPairsMax> pairs_;
  std::size_t pair_count_ = 0;  // all pairs of the line, also those that do not fit in pairs_
  std::array<Known, 4> known_;
  std::size_t last_known_ = 0;  // index of the template that matched the last line
};

void LogfmtDecoder::DecodeLines(std::string_view record, const char* readable_end,
                                TimeUs record_time, EventSink* sink) {
  readable_end_ = readable_end;
  std::string_view line;
  while (!record.empty()) {
    if (const char* const end = ReadKnown(record, record_time, sink)) {
      record.remove_prefix(static_cast<std::size_t>(end - record.data()));
      SkipLineEnd(&record);
    } else if (TakeLine(&record, sink, &line)) {
      DecodeLine(line, record_time, sink);
    }
  }
}

const char* LogfmtDecoder::ReadKnown(std::string_view record, TimeUs record_time, EventSink* sink) {
  for (std::size_t i = 0; i < known_.size(); ++i) {
    const std::size_t index = (last_known_ + i) % known_.size();
    Known& known = known_[index];
    const char* const end = known.lines->Read(record, readable_end_, record_time);
    if (end == nullptr) continue;
    if (known.credit < Known::kCreditMax) ++known.credit;
    last_known_ = index;
    sink->OnEvent(known.lines->event());
    return end;
  }
  return nullptr;
}

void LogfmtDecoder::DecodeLine(std::string_view line, TimeUs record_time, EventSink* sink) {
  builder_.Begin(record_time);
  StopFinder stops(line);
  EventFault fault = Read(line, &stops);
  // After a fault, how much of the line was scanned depends on the predicted keys.
  const bool may_be_ascii = stops.ascii() && fault.empty();
  if (!may_be_ascii && !simdjson::validate_utf8(line.data(), line.size())) {
    fault = "not valid UTF-8";
  }
  if (fault.empty() && pair_count_ == 0) {
    sink->OnSkipped(line, "a line without a value");
    return;
  }
  if (fault.empty()) fault = builder_.Complete();
  if (fault.empty()) {
    sink->OnEvent(builder_.event());
    Learn(line, record_time);
  } else {
    sink->OnUndecodable(line, fault);
  }
}

void LogfmtDecoder::Learn(std::string_view line, TimeUs record_time) {
  // Templates do not support values with escapes.
  if (pair_count_ > pairs_.size() || line.size() > LogfmtTemplate::kTextBytesMax ||
      !unescaped_.empty()) {
    return;
  }
  const std::span<const LogfmtPair> pairs(pairs_.data(), pair_count_);
  for (Known& known : known_) {
    if (known.lines->Learn(line, pairs, record_time)) return;
  }
  Known& least =
      *std::min_element(known_.begin(), known_.end(),
                        [](const Known& a, const Known& b) { return a.credit < b.credit; });
  if (--least.credit >= 0) return;
  least.credit = Known::kFirstCredit;
  least.lines->Restart(line, pairs);
}

EventFault LogfmtDecoder::Read(std::string_view line, StopFinder* stops) {
  const char* at = line.data();
  const char* const end = at + line.size();
  // The last position at which PredictedKey may read its kBytes bytes.
  const char* const foreseeable_end = readable_end_ - PredictedKey::kBytes;
  unescaped_.clear();
  pair_count_ = 0;
  for (std::size_t number = 0;;) {
    while (at < end && IsBlank(*at)) ++at;
    if (at == end) break;
    const FieldEntry* entry = nullptr;
    const char* const begin = at;
    if (number < predicted_.size() && at <= foreseeable_end && predicted_[number].StandsAt(at)) {
      at += predicted_[number].length();
      entry = predicted_[number++].entry();
    } else {
      at = stops->WordEnd(at);
      const std::string_view key(begin, static_cast<std::size_t>(at - begin));
      if (at == end || IsBlank(*at)) continue;
      const bool is_key = !key.empty() && *at == '=' &&
                          (stops->ascii() || key.find(kReplacementCharacter) == key.npos);
      if (!is_key) return "malformed key";
      ++at;
      entry = Find(key);
      if (number < predicted_.size()) {
        // A predicted key is not scanned again, so only ASCII keys are predicted.
        predicted_[number++] = stops->ascii() ? PredictedKey(key, entry) : PredictedKey();
      }
    }
    const std::string_view key(begin, static_cast<std::size_t>(at - 1 - begin));
    std::string_view value;
    if (at < end && *at == '"') {
      at = ReadQuoted(at + 1, end, stops, &value);
      if (at == nullptr) return "a quoted value without an end, or with a bad escape";
    } else {
      const char* const value_begin = at;
      at = stops->WordEnd(at);
      if (at < end && !IsBlank(*at)) return "a quote or an equals sign inside a value";
      value = {value_begin, static_cast<std::size_t>(at - value_begin)};
    }
    if (pair_count_ < pairs_.size()) pairs_[pair_count_] = {key, value, entry};
    ++pair_count_;
    if (entry == nullptr) continue;
    if (const EventFault fault = builder_.Store(*entry, value); !fault.empty()) return fault;
  }
  TakeServiceTime();
  return {};
}

const char* LogfmtDecoder::ReadQuoted(const char* begin, const char* end, StopFinder* stops,
                                      std::string_view* value) {
  bool escapes = false;
  const char* at = stops->Quote(begin);
  for (; at < end && *at == '\\'; at = stops->Quote(at + 2)) {
    escapes = true;
    if (end - at < 2) return nullptr;
  }
  if (at == end) return nullptr;
  *value = {begin, static_cast<std::size_t>(at - begin)};
  if (!escapes) return at + 1;
  const std::size_t size = unescaped_.size();
  // Reserved once per line, so that views of it stay valid: unescaping never makes a string longer.
  unescaped_.reserve(size + static_cast<std::size_t>(end - begin));
  if (!Unescape(*value)) return nullptr;
  *value = std::string_view(unescaped_).substr(size);
  return at + 1;
}

const FieldEntry* LogfmtDecoder::Find(std::string_view key) {
  // The look-up reads 8 bytes; a shorter key may be at the very end of the buffer.
  std::array<char, 16> copy{};
  const char* bytes = key.data();
  if (key.size() < 8) {
    std::copy(key.begin(), key.end(), copy.begin());
    bytes = copy.data();
  }
  return fields_.root().Find(bytes, JsonKeyWords::Of(bytes, key.size()));
}

bool LogfmtDecoder::Unescape(std::string_view text) {
  constexpr std::string_view kEscapes = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      unescaped_ += text[at];
    } else if (++at; text[at] == 'u') {
      if (!AppendUnicode(text, &at)) return false;
    } else {
      const std::size_t which = kEscapes.find(text[at]);
      if (which == kEscapes.npos) return false;
      unescaped_ += kMeanings[which];
    }
  }
  return true;
}

// `at` is the position of the "u", and is moved to the last digit.
bool LogfmtDecoder::AppendUnicode(std::string_view text, std::size_t* at) {
  const auto unit = [&](std::size_t from) -> std::uint32_t {
    std::uint32_t value = 0;
    if (from + 4 > text.size()) return UINT32_MAX;
    for (std::size_t i = from; i < from + 4; ++i) {
      const char lower = static_cast<char>(text[i] | 0x20);
      const bool letter = lower >= 'a' && lower <= 'f';
      if (!letter && !IsDigit(text[i])) return UINT32_MAX;
      value = 16 * value + static_cast<std::uint32_t>(letter ? lower - 'a' + 10 : text[i] - '0');
    }
    return value;
  };
  std::uint32_t code = unit(*at + 1);
  if (code == UINT32_MAX) return false;
  *at += 4;
  if (code >= 0xD800 && code < 0xE000) {
    // A surrogate; it is only valid as part of a pair.
    const bool pair = code < 0xDC00 && text.substr(*at + 1, 2) == "\\u";
    const std::uint32_t low = pair ? unit(*at + 3) : UINT32_MAX;
    if (low < 0xDC00 || low >= 0xE000) return false;
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    *at += 6;
  }
  const auto put = [this](std::uint32_t byte) { unescaped_ += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else {
    if (code < 0x800) {
      put(0xC0 | (code >> 6));
    } else {
      if (code < 0x10000) {
        put(0xE0 | (code >> 12));
      } else {
        put(0xF0 | (code >> 18));
        put(0x80 | ((code >> 12) & 0x3F));
      }
      put(0x80 | ((code >> 6) & 0x3F));
    }
    put(0x80 | (code & 0x3F));
  }
  return true;
}

void LogfmtDecoder::TakeServiceTime() {
  const std::string_view service = builder_.event().Get(Field::kService);
  if (!IsServiceTime(service)) return;
  bool stored = false;
  if (builder_.SetText(FieldTarget::kDuration, service, &stored).empty()) {
    builder_.event().Set(Field::kService, fields_.base().Get(Field::kService));
  }
}

}  // namespace

std::unique_ptr<Decoder> NewLogfmtDecoder(const InputConfig& input, ErrorList* errors) {
  ErrorList own;
  auto decoder = std::make_unique<LogfmtDecoder>(input, &own);
  if (own.empty()) return decoder;
  for (const ConfigError& error : own.Sorted()) errors->Add(error.at, error.message);
  return nullptr;
}

}  // namespace tocsin
