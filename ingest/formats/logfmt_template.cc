#include "ingest/formats/logfmt_template.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "ingest/fields/avx2.h"

namespace tocsin {
namespace {

// The size of a vector register: 32 bytes are compared at once.
constexpr std::size_t kBlock = 32;
// A value that Match finds begins at least one block before the end of the readable memory.
static_assert(kBlock >= EventBuilder::kReplacePadding);

#ifdef TOCSIN_AVX2
TOCSIN_AVX2 inline __m256i Load(const char* bytes) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
}

// Bit mask of the bytes that may end a value or are not plain ASCII. A control character inside
// quotes may be valid; the parser decides.
TOCSIN_AVX2 inline unsigned StopsIn(__m256i bytes, char lowest, char other) {
  const __m256i low =
      _mm256_cmpgt_epi8(_mm256_set1_epi8(lowest), bytes);  // also true for all bytes from 128 on
  const __m256i quotes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
  const __m256i others = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(other));
  return static_cast<unsigned>(
      _mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(low, quotes), others)));
}
#endif

}  // namespace

LogfmtTemplate::LogfmtTemplate(const FieldMap* fields, const InputConfig& input)
    : builder_(fields, input) {
  text_.reserve(kTextBytesMax);
  common_.reserve(kTextBytesMax + kBlock * (kPairsMax + 2));
  pairs_.reserve(kPairsMax);
  pieces_.reserve(kPairsMax + 1);
  parsed_.reserve(kPairsMax);
}

#ifdef TOCSIN_AVX2
TOCSIN_AVX2 const char* LogfmtTemplate::Match(const char* at, const char* readable_end) {
  const char* const last_block = readable_end - kBlock;
  for (const Piece& piece : pieces_) {
    const char* text = piece.text;
    const char* const end = at + piece.size;
    if (end > last_block) return nullptr;
    if (piece.size > kBlock) {
      __m256i differs = _mm256_setzero_si256();
      for (; end - at > static_cast<std::ptrdiff_t>(kBlock); at += kBlock, text += kBlock) {
        differs = _mm256_or_si256(differs, _mm256_xor_si256(Load(at), Load(text)));
      }
      if (_mm256_testz_si256(differs, differs) == 0) return nullptr;
    }
    // The last block of the text, which often contains the whole value.
    const __m256i bytes = Load(at);
    const auto same =
        static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, Load(text))));
    if ((same | piece.beyond) != ~0u) return nullptr;
    if (piece.value == nullptr) return end;
    unsigned stops = StopsIn(bytes, piece.lowest, piece.other) & piece.beyond;
    while (stops == 0) {
      at += kBlock;
      if (at > last_block) return nullptr;
      stops = StopsIn(Load(at), piece.lowest, piece.other);
    }
    at += std::countr_zero(stops);
    *piece.value = {end, static_cast<std::size_t>(at - end)};
    if (at == end) return nullptr;
  }
  return nullptr;
}
#else
const char* LogfmtTemplate::Match(const char*, const char*) { return nullptr; }
#endif

const char* LogfmtTemplate::Read(std::string_view record, const char* readable_end,
                                 TimeUs record_time) {
  if (!usable_) return nullptr;
  const char* const begin = record.data();
  const char* const at = Match(begin, readable_end);
  const char* const end = begin + record.size();
  if (at == nullptr || at > end) return nullptr;
  if (at - begin > static_cast<std::ptrdiff_t>(limits::kEventBytesMax)) return nullptr;
  const bool is_line =
      at == end || *at == '\n' || (*at == '\r' && (at + 1 == end || at[1] == '\n'));
  if (!is_line) return nullptr;

  for (const Parsed& parsed : parsed_) {
    if (!builder_.Replace(parsed.target, *parsed.value, record_time)) return nullptr;
  }
  constexpr std::uint64_t kService =
      EventBuilder::SlotBit(static_cast<FieldTarget>(Field::kService));
  if ((replaced_ & kService) != 0 && IsServiceTime(event().Get(Field::kService))) return nullptr;
  builder_.Renew(replaced_);
  return at;
}

bool LogfmtTemplate::HasKeys(std::span<const LogfmtPair> pairs) const {
  return std::equal(pairs.begin(), pairs.end(), pairs_.begin(), pairs_.end(),
                    [this](const LogfmtPair& a, const Pair& b) {
                      return a.key == KeyOf(b) && (a.value.data()[-1] == '"') == b.quoted;
                    });
}

bool LogfmtTemplate::Learn(std::string_view line, std::span<const LogfmtPair> pairs,
                           TimeUs record_time) {
  if (!HasKeys(pairs)) return false;
  bool is_changed = false;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (pairs_[i].varies || pairs[i].value == ValueOf(pairs_[i])) continue;
    pairs_[i].varies = true;
    is_changed = true;
  }
  if (!is_changed) return true;
  Keep(line, pairs);
  usable_ = Build(record_time);
  return true;
}

void LogfmtTemplate::Restart(std::string_view line, std::span<const LogfmtPair> pairs) {
  pairs_.assign(pairs.size(), Pair());
  Keep(line, pairs);
  usable_ = false;
}

void LogfmtTemplate::Keep(std::string_view line, std::span<const LogfmtPair> pairs) {
  text_ = line;
  const auto offset = [&](std::string_view part) {
    return static_cast<std::uint32_t>(part.data() - line.data());
  };
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const LogfmtPair& pair = pairs[i];
    pairs_[i] = {.key = offset(pair.key),
                 .key_size = static_cast<std::uint32_t>(pair.key.size()),
                 .value = offset(pair.value),
                 .value_size = static_cast<std::uint32_t>(pair.value.size()),
                 .quoted = pair.value.data()[-1] == '"',
                 .varies = pairs_[i].varies,
                 .entry = pair.entry};
  }
}

bool LogfmtTemplate::Build(TimeUs record_time) {
  if (!HasAvx2()) return false;
  // A slot that several keys of the line fill cannot be replaced by the value of one of them.
  std::uint64_t filled = 0;
  std::uint64_t filled_twice = 0;
  for (const Pair& pair : pairs_) {
    if (pair.entry == nullptr) continue;
    const std::uint64_t slots = builder_.SlotsOf(*pair.entry);
    filled_twice |= filled & slots;
    filled |= slots;
  }
  // Without a time in the line, the time is the record's; a request line fills other fields too.
  if ((filled & EventBuilder::SlotBit(FieldTarget::kTime)) == 0) return false;
  if ((filled & EventBuilder::SlotBit(FieldTarget::kRequestLine)) != 0) return false;
  common_.clear();
  pieces_.clear();
  parsed_.clear();
  replaced_ = 0;
  builder_.Begin(record_time);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    const Pair& pair = pairs_[i];
    if (pair.entry != nullptr && !builder_.Store(*pair.entry, ValueOf(pair)).empty()) return false;
    // The same time string may mean another time for another record time.
    const std::uint64_t slots = pair.entry == nullptr ? 0 : builder_.SlotsOf(*pair.entry);
    if (!pair.varies && (slots & EventBuilder::SlotBit(FieldTarget::kTime)) == 0) continue;
    if ((slots & filled_twice) != 0) return false;
    const std::optional<FieldTarget> target =
        pair.entry == nullptr ? std::nullopt : builder_.ReplaceableTarget(*pair.entry);
    if (pair.entry != nullptr && !target) return false;
    std::string_view* value = &values_[i];
    if (target && IsText(*target)) {
      value = &builder_.event().text[static_cast<std::size_t>(*target)];
    } else if (target) {
      parsed_.push_back({.target = *target, .value = value});
    }
    replaced_ |= slots;
    AddPiece(begin, pair.value, pair.quoted, value);
    begin = pair.value + pair.value_size;
  }
  AddPiece(begin, text_.size(), false, nullptr);
  return !IsServiceTime(event().Get(Field::kService)) && builder_.Complete().empty();
}

void LogfmtTemplate::AddPiece(std::size_t begin, std::size_t end, bool quoted,
                              std::string_view* value) {
  const std::size_t size = end - begin;
  const std::size_t in_last = size == 0 ? 0 : (size - 1) % kBlock + 1;
  pieces_.push_back({.text = common_.data() + common_.size(),
                     .size = size,
                     .beyond = in_last == kBlock ? 0 : ~0u << in_last,
                     .lowest = static_cast<char>(quoted ? ' ' : ' ' + 1),
                     .other = quoted ? '\\' : '=',
                     .value = value});
  common_.append(text_, begin, size).append(kBlock, '\0');
}

}  // namespace tocsin
